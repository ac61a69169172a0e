/** Result files of the original system, a line per series, from the parts of a job. */
import type { ErrorRecord } from "../../common/errors.ts";
import { folderOf, makePlace, writePlace } from "../../data/result-place.ts";
import { formatResults, type ResultLine } from "../../data/result-text.ts";
import { decodePart, type PePart } from "../../tasks/pe/part.ts";
import { mapKeys, type PartReader } from "../../tasks/pe/reduce.ts";
import type { JobRecord, WantedResult } from "./job-record.ts";
import type { FollowedJob } from "./job-following.ts";

export interface WrittenResults {
  readonly files: readonly string[];
  readonly series: number;
  /** Of files that could not be computed: they have no result file; and of series, which have NaN in theirs. */
  readonly problems: readonly ErrorRecord[];
  /** Result files whose tasks have not ended. */
  readonly missing: readonly string[];
}

/**
 * Each file is written whole or not at all.
 *
 * @param series Cells told already, for several jobs that make one list of results; grows.
 * @throws {PeError} `PE_RESULTS_UNREADABLE`, `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`
 */
export async function writeResultFiles(
  { job, results }: JobRecord,
  { ends }: Pick<FollowedJob, "ends">,
  parts: PartReader,
  series = new Set<string>(),
): Promise<WrittenResults> {
  const files: string[] = [];
  const problems = new Map<string, ErrorRecord>();
  const missing: string[] = [];
  for (const [ordinal, wanted] of byFile(results)) {
    const read: PePart[] = [];
    const tasks = job.manifest.tasks.flatMap(([file], index) => (file === ordinal ? [index] : []));
    for (const index of tasks) {
      const end = ends.get(index);
      if (end !== undefined && "error" in end) problems.set(end.error.message, end.error);
      else if (end !== undefined) read.push(decodePart(end.part, await parts.read(end.part)));
    }
    for (const { header } of read) for (const problem of header.problems) problems.set(problem.message, problem);
    for (const part of read) for (const [place, x] of part.x.entries()) series.add(`${x},${part.y[place]}`);
    const isFailed = tasks.some((index) => "error" in (ends.get(index) ?? {}));
    for (const result of wanted) {
      if (read.length === tasks.length) files.push(await writeResult(job, result, read));
      else if (!isFailed) missing.push(result.outfile);
    }
  }
  return { files, series: series.size, problems: [...problems.values()], missing };
}

function byFile(results: readonly WantedResult[]): Map<number, WantedResult[]> {
  const files = new Map<number, WantedResult[]>();
  for (const result of results) files.set(result.ordinal, [...(files.get(result.ordinal) ?? []), result]);
  return files;
}

async function writeResult(
  { manifest }: JobRecord["job"],
  { outfile, order, delay }: WantedResult,
  parts: readonly PePart[],
): Promise<string> {
  const map = mapKeys(manifest).findIndex((key) => key.order === order && key.delay === delay && key.measure === "pe");
  const lines = parts.flatMap(({ x, y, values, header }) =>
    Array.from(x, (cell, place): ResultLine => ({
      x: cell,
      y: y[place]!,
      value: values[map * header.series + place]!,
    })),
  );
  await makePlace(folderOf(outfile));
  await writePlace(outfile, new TextEncoder().encode(formatResults(lines)));
  return outfile;
}
