/** The sum of numbers; some of them may be results of other tasks. */
export default ({ valibot: v }) => ({
  name: "sum",
  version: "1",
  schema: v.array(v.number()),
  run: (numbers) => numbers.reduce((total, number) => total + number, 0),
});
