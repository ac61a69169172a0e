/**
 * What whoever reduces a PE job must know and no worker needs: kept in the job's part store as `manifest-<job id>`, so that
 * a job can be attached to, and its maps made, on any machine that reaches the store.
 */
import * as v from "valibot";
import { PeError } from "../../common/errors.ts";
import type { PartStore } from "../../data/part-store.ts";
import { parse } from "../../tasks/parse.ts";
import { jobOf, type PeJob } from "../../tasks/pe/plan.ts";
import { manifestSchema } from "../../tasks/pe/schema.ts";

const FORMAT = 1;

/** A result file of the original system that a line of a task list asks for. */
const wantedResult = v.object({
  /** Path of the file to write. */
  outfile: v.string(),
  /** Place of the shard in the manifest's list of files. */
  ordinal: v.number(),
  order: v.number(),
  delay: v.number(),
});

const recordSchema = v.object({
  format: v.literal(FORMAT),
  manifest: manifestSchema,
  seriesEstimate: v.number(),
  costEstimateMs: v.number(),
  warnings: v.array(v.string()),
  results: v.array(wantedResult),
});

export type WantedResult = v.InferOutput<typeof wantedResult>;

export interface JobRecord {
  readonly job: PeJob;
  /** Empty where maps are wanted. */
  readonly results: readonly WantedResult[];
}

export function recordName(jobId: string): string {
  return `manifest-${jobId}`;
}

/** Durable when it resolves. @throws {PeError} What the store throws. */
export async function storeRecord(store: PartStore, { job, results }: JobRecord): Promise<void> {
  const { manifest, seriesEstimate, costEstimateMs, warnings } = job;
  const record: v.InferInput<typeof recordSchema> = {
    format: FORMAT,
    manifest,
    seriesEstimate,
    costEstimateMs,
    warnings: [...warnings],
    results: [...results],
  };
  await store.put(recordName(job.id), new TextEncoder().encode(JSON.stringify(record)));
}

/**
 * @throws {PeError} `PE_RESULTS_UNREADABLE` when the store has no such record, it is not whole, or of another version.
 */
export async function readRecord(store: PartStore, jobId: string): Promise<JobRecord> {
  const bytes = await store.get(recordName(jobId));
  if (bytes === undefined)
    throw unreadable(jobId, `"${store.url}" has no part ${recordName(jobId)}; is it a job of pe-client submit?`);
  return parseRecord(jobId, bytes);
}

export function parseRecord(jobId: string, bytes: Uint8Array): JobRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw unreadable(jobId, "its manifest is no JSON", error);
  }
  const { manifest, seriesEstimate, costEstimateMs, warnings, results } = parse(
    recordSchema,
    value,
    "manifest of a job",
  );
  const job = { ...jobOf(manifest), seriesEstimate, costEstimateMs, warnings, unreadable: [] };
  if (job.id !== jobId) throw unreadable(jobId, `its manifest describes job ${job.id}`);
  return { job, results };
}

function unreadable(jobId: string, reason: string, cause?: unknown): PeError {
  return new PeError("PE_RESULTS_UNREADABLE", `Cannot read what job ${jobId} computes: ${reason}`, {
    cause,
    details: { job: jobId },
  });
}
