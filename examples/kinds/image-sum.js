/** The sum of images. They are views on memory that other tasks read too: what is computed goes into an array of its own. */
export default () => ({
  name: "image-sum",
  version: "1",
  run: ([first, ...others]) => {
    const sum = first.slice();
    for (const image of others) for (let at = 0; at < sum.length; at++) sum[at] += image[at];
    return sum;
  },
});
