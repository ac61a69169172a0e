/** Permutation entropy of a series, which may be the result of another task. */
export default ({ permutationEntropy }) => ({
  name: "entropy",
  version: "1",
  run: ({ series, order }) => permutationEntropy(series, order, 1),
});
