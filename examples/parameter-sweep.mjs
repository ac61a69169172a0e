/**
 * A parameter sweep: how disordered is the logistic map, from r = 3.5 to 4?
 *
 *   npm ci && npm run build && node examples/parameter-sweep.mjs
 *
 * Replace `Client.local` by `Client.connect("ws://host:8786", { kinds: [...] })` and the same lines use a cluster.
 */
import { fileURLToPath } from "node:url";
import { Client } from "pe-cluster";

const kinds = [fileURLToPath(new URL("kinds", import.meta.url))];
const client = await Client.local({ kinds, threads: 2 });

// One task for each value; what all tasks share is sent once.
const values = Array.from({ length: 51 }, (_, step) => 3.5 + step / 100);
const futures = client.map(
  "logistic",
  values.map((r) => ({ r })),
  { common: { length: 20_000, order: 5 } },
);

// Points can be used as they come ...
let done = 0;
for await (const future of client.asCompleted(futures)) if (future.status === "finished") done++;

// ... and read in their order.
const entropies = await client.gather(futures);
for (const [place, entropy] of entropies.entries())
  if (place % 5 === 0)
    console.log(
      `r = ${values[place].toFixed(2)}  ${"#".repeat(Math.round(entropy * 50)).padEnd(36)} ${entropy.toFixed(3)}`,
    );

const peak = entropies.indexOf(Math.max(...entropies));
console.log(`${done} points, most disordered at r = ${values[peak].toFixed(2)}`);
await client.close();
