/** What a client asks about the values of its futures: who has them, and who should. */
import { PeError } from "../../common/errors.ts";
import { WHO_HAS_MAX } from "../../protocol/client-link.ts";
import { COLUMN_TASKS_MAX } from "../limits.ts";
import { LinkLost, type SchedulerLink } from "../session/link.ts";
import { assertHeld, batchOf, placeOf, type Future } from "./future.ts";
import { allFinished } from "./gathering.ts";
import type { LooseTasks } from "./loose-tasks.ts";

/** Where a result is. */
export interface ValueHolders {
  /** 0 where the result is no value: it is small, and came here; or the task has not ended. */
  readonly bytes: number;
  /** Names of workers that have it. */
  readonly workers: readonly string[];
}

export interface ReplicateOptions {
  /** Workers that are to have each value; all by default. */
  readonly copies?: number;
  /** Names of workers that are to have each value, whoever else has it. */
  readonly workers?: readonly string[];
}

const COPIES_MAX = 4096;
const NOBODY: ValueHolders = { bytes: 0, workers: [] };

/** In the order of the futures. */
export async function whoHas(tasks: LooseTasks, futures: readonly Future[]): Promise<ValueHolders[]> {
  const holders = futures.map(() => NOBODY);
  const values = [...futures.keys()].filter((index) => isValue(futures[index]!));
  await inColumns(tasks, futures, values, WHO_HAS_MAX, async ({ link, job, column, indices }) => {
    const { sizes, workers } = await link.ask({ type: "whoHas", job, tasks: column });
    for (const [at, index] of indices.entries()) holders[index] = { bytes: sizes[at]!, workers: workers[at]! };
  });
  return holders;
}

/** Resolves when the values are where they should be. */
export async function replicate(
  tasks: LooseTasks,
  futures: readonly Future[],
  { copies, workers = [] }: ReplicateOptions,
): Promise<void> {
  if (copies !== undefined && !(Number.isInteger(copies) && copies >= 1 && copies <= COPIES_MAX))
    throw new PeError("PE_PARAMETER", `Cannot have ${copies} copies of a value: expected 1 to ${COPIES_MAX}`);
  for (const future of futures) assertHeld(future);
  if (futures.length > 0) await allFinished(futures);
  const wish = { copies: copies ?? (workers.length > 0 ? 1 : COPIES_MAX), workers: [...workers] };
  const values = [...futures.keys()].filter((index) => isValue(futures[index]!));
  await inColumns(tasks, futures, values, WHO_HAS_MAX, async ({ link, job, column }) => {
    await link.ask({ type: "replicate", job, tasks: column, ...wish });
  });
}

export async function persist(tasks: LooseTasks, futures: readonly Future[]): Promise<void> {
  for (const future of futures) assertHeld(future);
  tasks.persist(futures);
  const open = [...futures.keys()].filter((index) => futures[index]!.status === "pending" || isValue(futures[index]!));
  await inColumns(tasks, futures, open, COLUMN_TASKS_MAX, async ({ link, job, column }) => {
    await link.ask({ type: "persist", job, tasks: column });
  });
}

function isValue(future: Future): boolean {
  const [batch, place] = [batchOf(future), placeOf(future)];
  return batch.valueBytes(place) > 0 && !batch.isReleased(place);
}

/** Tasks that one message can name; `indices` of their futures. */
interface Column {
  readonly link: SchedulerLink;
  readonly job: number;
  readonly column: Uint32Array;
  readonly indices: readonly number[];
}

/** Asks about futures, and once more on the next connection where one is lost. */
async function inColumns(
  tasks: LooseTasks,
  futures: readonly Future[],
  indices: readonly number[],
  columnMax: number,
  ask: (column: Column) => Promise<void>,
): Promise<void> {
  for (;;)
    try {
      const there = await Promise.all(indices.map(async (index) => await tasks.find(futures[index]!)));
      const columns: { link: SchedulerLink; job: number; tasks: number[]; indices: number[] }[] = [];
      for (const [at, { link, job, task }] of there.entries()) {
        let last = columns.findLast((column) => column.job === job && column.link === link);
        if (last === undefined || last.tasks.length === columnMax)
          columns.push((last = { link, job, tasks: [], indices: [] }));
        last.tasks.push(task);
        last.indices.push(indices[at]!);
      }
      await Promise.all(columns.map(async (one) => await ask({ ...one, column: Uint32Array.from(one.tasks) })));
      return;
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
    }
}
