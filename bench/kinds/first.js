/** The first of the results it is given, as the end of a merge. */
export default () => ({
  name: "first",
  version: "1",
  run: (results) => results[0],
});
