/**
 * The commit marker of a job: how each of its tasks ended, kept beside the parts as `ended-<job id>` by whoever waited for
 * the end. Whoever finds it knows that the job is complete, which parts are its own, and why what has none has none.
 */
import * as v from "valibot";
import { ERROR_CODES, type ErrorCode } from "../../common/errors.ts";
import type { PartStore } from "../../data/part-store.ts";
import { parse } from "../../tasks/parse.ts";
import type { TaskEnd } from "../../tasks/pe/reduce.ts";

const FORMAT = 1;

const error = v.object({
  code: v.picklist(Object.keys(ERROR_CODES) as ErrorCode[]),
  message: v.string(),
  details: v.record(v.string(), v.unknown()),
});

const recordSchema = v.object({
  format: v.literal(FORMAT),
  job: v.string(),
  /** By index of the task: the name of its part, or its error. */
  ends: v.array(v.union([v.string(), error])),
});

type EndsRecord = v.InferOutput<typeof recordSchema>;

/** A job as far as its end goes. */
interface Counted {
  readonly id: string;
  readonly taskCount: number;
}

export function endsName(jobId: string): string {
  return `ended-${jobId}`;
}

/**
 * Durable when it resolves. Nothing is stored of a job that has not ended, and one that ended with fewer errors stands: who
 * waited for an earlier try may come late.
 *
 * @throws {PeError} What the store throws.
 */
export async function storeEnds(store: PartStore, job: Counted, ends: ReadonlyMap<number, TaskEnd>): Promise<void> {
  const { id, taskCount } = job;
  if (ends.size < taskCount) return;
  const record: EndsRecord = {
    format: FORMAT,
    job: id,
    ends: Array.from({ length: taskCount }, (_, index) => {
      const end = ends.get(index)!;
      return "part" in end ? end.part : { ...end.error, details: { ...end.error.details } };
    }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  await store.change(endsName(id), (before) => {
    if (before === undefined) return bytes;
    if (Buffer.compare(before, bytes) === 0) return undefined;
    const known = parsed(job, before);
    return known === undefined || errorsOf(record) <= errorsOf(known) ? bytes : undefined;
  });
}

function errorsOf({ ends }: EndsRecord): number {
  return ends.filter((end) => typeof end !== "string").length;
}

/** Undefined where nobody has seen the job's end. @throws {PeError} What the store throws. */
export async function readEnds(store: PartStore, job: Counted): Promise<Map<number, TaskEnd> | undefined> {
  const bytes = await store.get(endsName(job.id));
  const record = bytes && parsed(job, bytes);
  return (
    record &&
    new Map(record.ends.map((end, index) => [index, typeof end === "string" ? { part: end } : { error: end }]))
  );
}

/** Of another version, or of another job, it says nothing. */
function parsed({ id, taskCount }: Counted, bytes: Uint8Array): EndsRecord | undefined {
  try {
    const record = parse(recordSchema, JSON.parse(new TextDecoder().decode(bytes)), "ends of a job");
    return record.job === id && record.ends.length === taskCount ? record : undefined;
  } catch {
    return undefined;
  }
}
