/**
 * A graph over arrays: a stack of images, their mean, and which image is unlike the others. Images stay on the workers that made
 * them and go straight to those that need them; only numbers come here. 24 images of 17 MB, 0.8 GB with their sums.
 *
 *   npm ci && npm run build && node examples/array-graph.mjs
 *   node examples/array-graph.mjs 24 1024 ws://127.0.0.1:8786
 *
 * The second line uses a cluster, whose workers were started with `--kinds examples/kinds`. Kill one of them while it runs: the
 * images that it held are made again, and the result is the same.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "pe-cluster";

const [count = 24, rows = 1024, url] = process.argv.slice(2);
const [columns, dim] = [2048, Math.floor(count / 2)];
const kinds = [fileURLToPath(new URL("kinds", import.meta.url))];
const client = await (url ? Client.connect(url, { kinds }) : Client.local({ kinds, workers: 2, threads: 1 }));

const images = client.map(
  "exposure",
  Array.from({ length: Number(count) }, (_, seed) => ({
    seed,
    rows: Number(rows),
    columns,
    brightness: seed === dim ? 6 : 10,
  })),
);

// A tree of sums. A sum is let go of as soon as the next layer is submitted, and gone when that is computed.
let layer = images;
while (layer.length > 1) {
  const pairs = Array.from({ length: Math.ceil(layer.length / 2) }, (_, place) =>
    layer.slice(2 * place, 2 * place + 2),
  );
  const sums = client.map("image-sum", pairs);
  if (layer !== images) client.release(layer);
  layer = sums;
}
const [sum] = layer;

// Each image meets the sum: on a worker that has one of them.
const distances = await client.gather(
  client.map(
    "image-distance",
    images.map((image) => ({ image, sum, count: images.length })),
  ),
);
const held = await client.whoHas([...images, sum]);
const bytes = held.reduce((total, one) => total + one.bytes, 0);
console.log(`${images.length} images and their sum: ${(bytes / 1e6).toFixed(0)} MB on workers, none of it here`);
for (const [place, distance] of distances.entries())
  if (distance > 1.5 * Math.min(...distances))
    console.log(`image ${place} is unlike the others: ${distance.toFixed(3)}`);

// A large result comes here when it is asked for, as a typed array.
const mean = (await sum.result()).map((pixel) => pixel / images.length);
console.log(`the brightest pixel of the mean is ${mean.reduce((most, pixel) => Math.max(most, pixel), 0).toFixed(2)}`);

// What nobody wants any more goes at once; a program that ends lets go of all it had.
client.release([...images, sum]);
const left = async () => (await client.status()).workers.reduce((total, { values }) => total + values, 0);
while ((await left()) > 0) await sleep(10);
console.log("nothing is left on the workers");
await client.close();
