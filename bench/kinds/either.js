/** The larger of two results, as a node of a tree. */
export default () => ({
  name: "either",
  version: "1",
  run: ([one, other]) => (one > other ? one : other),
});
