/**
 * A tree reduction: 1,024 numbers become one, two at a time. Futures are parameters of other tasks, so the whole tree is
 * submitted at once and no result comes back here but the last.
 *
 *   npm ci && npm run build && node examples/tree-reduction.mjs
 */
import { fileURLToPath } from "node:url";
import { Client } from "pe-cluster";

const kinds = [fileURLToPath(new URL("kinds", import.meta.url))];
const client = await Client.local({ kinds, threads: 2 });

const leaves = Array.from({ length: 1024 }, (_, index) => [index + 1]);
let layer = client.map("sum", leaves);
let tasks = layer.length;
while (layer.length > 1) {
  const pairs = Array.from({ length: layer.length / 2 }, (_, place) => layer.slice(2 * place, 2 * place + 2));
  layer = client.map("sum", pairs);
  tasks += layer.length;
}

const sum = Number(await layer[0].result());
console.log(`${tasks} tasks, the sum of 1 to 1024 is ${sum}`);
await client.close();
