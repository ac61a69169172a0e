/** A noisy oscillation: the kind of data that an order parameter can tell from noise. */
export default () => ({
  name: "series",
  version: "1",
  run: ({ length, noise, seed }) => {
    let state = seed >>> 0;
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
    return Float64Array.from({ length }, (_, step) => Math.sin(step / 5) + noise * random());
  },
});
