/**
 * Data of this program as results: named by their content, stored as parts before a task that reads them is submitted. One
 * part at a time is copied, so that little memory is taken beside the data.
 */
import { createHash } from "node:crypto";
import type { PartStore } from "../../data/part-store.ts";
import { INLINE_BYTES_MAX } from "../../protocol/held-values.ts";
import { packOrLayOut, type LaidOut } from "../../protocol/large-values.ts";
import { encodeJobCommon } from "../../tasks/job-common.ts";
import { SCATTER_PART_BYTES, type ScatterTask } from "../../tasks/scatter/schema.ts";
import type { Future } from "../futures/future.ts";
import type { LooseTasks } from "../futures/loose-tasks.ts";
import type { DataWays } from "./data-ways.ts";

export interface ScatterOptions {
  /** Names of workers that may have the data first; any by default. */
  readonly workers?: readonly string[];
  /** Copies on all workers, or on those named, from worker to worker; resolves when they are there. */
  readonly broadcast?: boolean;
}

const KIND = "scatter";

/**
 * Futures of the data, in their order; the same content is the same task. Resolves when the scheduler's store has them.
 *
 * @throws {PeError} `PE_PARAMETER` when they cannot travel, `PE_LIMIT`, `PE_DISK_FULL`, `PE_CONNECTION`
 */
export async function scatter(
  tasks: LooseTasks,
  ways: DataWays,
  data: readonly unknown[],
  workers: readonly string[] | undefined,
): Promise<Future[]> {
  const common = encodeJobCommon({ parts: await ways.partsUrl(), common: undefined });
  const job = await tasks.keepJob(KIND, common);
  try {
    const store = await ways.partsOf(job.id);
    const futures: Future[] = [];
    for (const one of data) {
      const { key, task } = await prepare(one, store);
      futures.push(job.submit(task, { key, ...(workers !== undefined && { workers }) }));
    }
    return futures;
  } finally {
    job.leave();
  }
}

async function prepare(
  value: unknown,
  store: PartStore,
): Promise<{ readonly key: string; readonly task: ScatterTask }> {
  const packed = packOrLayOut(value, INLINE_BYTES_MAX);
  if (packed instanceof Uint8Array) return { key: keyOf(createHash("sha256").update(packed)), task: { value } };
  const content = createHash("sha256");
  const parts: string[] = [];
  for (const part of cut(packed, SCATTER_PART_BYTES)) {
    const digest = createHash("sha256").update(part).digest();
    const name = `${KIND}-${digest.toString("hex")}`;
    if (!(await store.has(name))) await store.put(name, part, digest);
    content.update(digest);
    parts.push(name);
  }
  return { key: keyOf(content), task: { parts, bytes: packed.bytes } };
}

function keyOf(content: ReturnType<typeof createHash>): string {
  return `${KIND}-${content.digest("hex")}`;
}

/** The blob in copies of `partBytes` each, one at a time. */
function* cut({ bytes, pieces }: LaidOut, partBytes: number): Generator<Uint8Array> {
  let part = new Uint8Array(Math.min(partBytes, bytes));
  let [end, left] = [0, bytes];
  for (const piece of pieces)
    for (let taken = 0; taken < piece.byteLength;) {
      const some = piece.subarray(taken, taken + part.byteLength - end);
      part.set(some, end);
      taken += some.byteLength;
      end += some.byteLength;
      if (end < part.byteLength) continue;
      yield part;
      left -= end;
      [part, end] = [new Uint8Array(Math.min(partBytes, left)), 0];
    }
}
