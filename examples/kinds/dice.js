/** Throws dice, and shows what else a kind can do: prepare a thread, refuse parameters, fail. */
export default ({ PeError, valibot: v }) => {
  let faces;
  return {
    name: "dice",
    version: "1",
    // 1. What parameters may be. Anything else is refused before `run` is called.
    schema: v.object({ seed: v.pipe(v.number(), v.integer()), throws: v.number() }),
    // 2. Once per thread, before its first task: tables, models, libraries.
    setup: async () => {
      faces = Uint8Array.of(1, 2, 3, 4, 5, 6);
    },
    // 3. One task. The same parameters give the same result, wherever and whenever it runs.
    run: ({ seed, throws }) => {
      if (throws > 1e7) throw new PeError("PE_LIMIT", `Cannot throw ${throws} dice: 10,000,000 are enough`);
      const counts = new Uint32Array(faces.length);
      let state = seed >>> 0;
      for (let thrown = 0; thrown < throws; thrown++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        counts[Math.floor((state / 2 ** 32) * faces.length)]++;
      }
      return counts;
    },
  };
};
