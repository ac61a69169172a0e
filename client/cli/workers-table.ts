/** The workers of a scheduler as a table. */
import type { ClusterStatus } from "../client.ts";
import { formatBytes } from "./plan-text.ts";
import { table } from "./table.ts";

export function workersTable(workers: ClusterStatus["workers"]): string {
  if (workers.length === 0) return "no workers; start one on each machine: pe-worker URL --access-file FILE";
  return table(
    ["worker", "state", "threads", "tasks held", "finished", "memory", "values"],
    workers.map(({ name, state, slots, processing, finished, rssBytes, values, valueBytes }) => [
      name,
      state,
      slots,
      processing,
      finished,
      formatBytes(rssBytes),
      values === 0 ? 0 : `${values}, ${formatBytes(valueBytes)}`,
    ]),
  );
}
