/**
 * Permutation entropy of the logistic map x -> r x (1 - x), as a kind of task.
 *
 * A kind is the default export of a file: a function that gets the API (the kernel, PeError, valibot) and returns a name, a
 * version, what parameters may be, and what to run. It imports nothing, so it can lie anywhere on a worker's disk.
 */
export default ({ permutationEntropy, valibot: v }) => ({
  name: "logistic",
  version: "1",
  schema: v.object({ r: v.pipe(v.number(), v.minValue(0), v.maxValue(4)) }),
  common: v.object({ length: v.number(), order: v.number() }),
  run: ({ r }, { common: { length, order } }) => {
    let x = 0.4;
    // The way into the attractor is no part of it.
    for (let step = 0; step < 1000; step++) x = r * x * (1 - x);
    const series = Float64Array.from({ length }, () => (x = r * x * (1 - x)));
    return permutationEntropy(series, order, 1);
  },
});
