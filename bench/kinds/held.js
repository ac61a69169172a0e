/** An array that is there already, so that only its way is measured: as a result, or as an input of which one number is read. */
const arrays = new Map();

export default () => ({
  name: "held",
  version: "1",
  run({ bytes, of, copy }) {
    if (copy !== undefined) return copy[copy.length - 1];
    if (of !== undefined) return of[of.length - 1];
    if (!arrays.has(bytes)) arrays.set(bytes, new Float64Array(bytes / 8).fill(1));
    return arrays.get(bytes);
  },
});
