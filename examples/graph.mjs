/**
 * A graph: series -> entropies of several orders -> their mean, for growing noise. A task starts when what it needs is there;
 * a small result travels to the worker that needs it.
 *
 *   npm ci && npm run build && node examples/graph.mjs
 */
import { fileURLToPath } from "node:url";
import { Client } from "pe-cluster";

const kinds = [fileURLToPath(new URL("kinds", import.meta.url))];
const client = await Client.local({ kinds, threads: 2 });

const means = [0, 0.1, 1, 10].map((noise) => {
  // The same key is the same task: submitted twice, run once.
  const series = client.submit("series", { length: 4000, noise, seed: 7 }, { key: `series with noise ${noise}` });
  const entropies = [3, 4, 5].map((order) => client.submit("entropy", { series, order }));
  return { noise, total: client.submit("sum", entropies, { priority: noise === 0 ? 1 : 0 }) };
});

for (const { noise, total } of means)
  console.log(`noise ${String(noise).padStart(4)}: mean entropy ${((await total.result()) / 3).toFixed(3)}`);

const again = client.submit("series", { length: 4000, noise: 1, seed: 7 }, { key: "series with noise 1" });
console.log(`the known series has ${(await again.result()).length} samples`);
await client.close();
