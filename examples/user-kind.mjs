/**
 * A kind of your own: one file in a folder, here kinds/dice.js. Workers load it from their own disk (`pe-worker --kinds DIR`),
 * this client too, because the hash of the file is part of the kind's version: different files never meet.
 *
 *   npm ci && npm run build && node examples/user-kind.mjs
 */
import { fileURLToPath } from "node:url";
import { Client } from "pe-cluster";

const kinds = [fileURLToPath(new URL("kinds", import.meta.url))];
const client = await Client.local({ kinds, threads: 2 });

const throws = 100_000;
const counts = await client.gather(
  client.map(
    "dice",
    Array.from({ length: 20 }, (_, seed) => ({ seed, throws })),
  ),
);
const total = counts.reduce((sum, one) => sum.map((count, face) => count + one[face]), new Float64Array(6));
for (const [face, count] of total.entries())
  console.log(`${face + 1}: ${((100 * count) / (20 * throws)).toFixed(1)} %`);

// What the schema refuses, and what a task throws, arrives here with its code, its story and its stack on the worker.
for (const parameters of [
  { seed: 0.5, throws: 1 },
  { seed: 1, throws: 1e9 },
]) {
  const error = await client
    .submit("dice", parameters)
    .result()
    .catch((reason) => reason);
  console.log(`${error.code}: ${error.message}`);
}
await client.close();
