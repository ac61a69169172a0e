/** Cells that no task has computed yet, told by the files that hold them. */
import { shardBlock } from "../../data/inputs.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";

/**
 * One text per file with tasks that have not ended, such as `raw_shard_009_018.hdf5 (cells 9-17, 18-26)`.
 *
 * @param ended Indices of tasks that are finished or have a reason.
 */
export function describeMissing(job: PeJob, ended: { has(index: number): boolean }): string[] {
  const tasksOfFile = new Map<number, { all: number; missing: number }>();
  for (const [index, [ordinal]] of job.manifest.tasks.entries()) {
    const { all, missing } = tasksOfFile.get(ordinal) ?? { all: 0, missing: 0 };
    tasksOfFile.set(ordinal, { all: all + 1, missing: missing + (ended.has(index) ? 0 : 1) });
  }
  return [...tasksOfFile].flatMap(([ordinal, { all, missing }]) =>
    missing === 0 ? [] : [`${nameOf(job, ordinal)}${missing === all ? "" : `, ${missing} of its ${all} tasks`}`],
  );
}

function nameOf({ manifest: { source, grid } }: PeJob, ordinal: number): string {
  const { name } = source.files[ordinal]!;
  const block = shardBlock(name);
  if (block === undefined) return name;
  const size = block.size ?? grid.shardSize ?? 1;
  const span = (start: number, end: number): string => `${start}-${Math.max(start, Math.min(start + size, end) - 1)}`;
  return `${name} (cells ${span(block.x, grid.xSize)}, ${span(block.y, grid.ySize)})`;
}
