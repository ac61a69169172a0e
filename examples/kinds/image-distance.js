/** Root mean square of the difference between an image and the mean of `count` that were summed: a number, which comes back. */
export default () => ({
  name: "image-distance",
  version: "1",
  run: ({ image, sum, count }) => {
    let squares = 0;
    for (let at = 0; at < image.length; at++) squares += (image[at] - sum[at] / count) ** 2;
    return Math.sqrt(squares / image.length);
  },
});
