/** A job that counts how often each of its tasks runs. */
import { readdirSync } from "node:fs";
import type { JobDescription } from "../../client/cluster-job.ts";

/** The one worker of such jobs: they go on beside whatever the others do. */
export const COUNTED_WORKER = "counted";

/** A job that leaves a folder in `folder` for each time that one of its tasks runs to its end, which takes `ms`. */
export function countedJob(folder: string, taskCount: number, ms: number): JobDescription {
  const task = (index: number): unknown => ({ folder, key: `k${index}`, fails: 0, ms });
  const options = { workers: [COUNTED_WORKER] };
  return { id: "counted", kind: "flaky", common: null, parts: null, taskCount, task, options };
}

/** How often each task of such a job ran, by its number, ascending. */
export function runsIn(folder: string): Map<number, number> {
  const runs = new Map<number, number>();
  for (const name of readdirSync(folder)) {
    const task = Number(/^k(\d+)-/.exec(name)![1]);
    runs.set(task, (runs.get(task) ?? 0) + 1);
  }
  return new Map([...runs].toSorted(([a], [b]) => a - b));
}
