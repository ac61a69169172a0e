/** An image of a laser beam: a round spot with noise. A large result: it stays on the worker that computed it. */
export default ({ valibot: v }) => ({
  name: "exposure",
  version: "1",
  schema: v.object({ seed: v.number(), rows: v.number(), columns: v.number(), brightness: v.number() }),
  run: ({ seed, rows, columns, brightness }) => {
    const image = new Float64Array(rows * columns);
    let state = (seed * 2_654_435_761) >>> 0;
    const profile = (place, length) => Math.exp(-((place / length - 0.5) ** 2) * 20);
    const across = Float64Array.from({ length: columns }, (_, column) => profile(column, columns));
    for (let row = 0, at = 0; row < rows; row++) {
      const along = brightness * profile(row, rows);
      for (let column = 0; column < columns; column++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        image[at++] = along * across[column] + state / 2 ** 32 - 0.5;
      }
    }
    return image;
  },
});
