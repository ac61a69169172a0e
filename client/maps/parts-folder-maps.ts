/** Maps from a folder of parts, here or on S3, without any scheduler. */
import { PeError } from "../../common/errors.ts";
import { inLanes } from "../../common/lanes.ts";
import type { MapSource } from "../../data/maps.ts";
import { decodePart } from "../../tasks/pe/part.ts";
import type { PartReader } from "../../tasks/pe/reduce.ts";
import type { PeSummary } from "../../tasks/pe/run.ts";
import { partOfJob } from "./job-computing.ts";
import { partsInPlace } from "./job-parts.ts";
import { publishJob } from "./map-publishing.ts";
import type { Collected } from "./maps-on-cluster.ts";
import { describeMissing } from "./missing-cells.ts";
import { intoOutput } from "./maps-output.ts";
import { checkOutput } from "./output-check.ts";
import { openPartsFolder } from "./parts-folder.ts";

const READS_AT_ONCE = 8;

export interface FolderReduction {
  readonly output: string;
  /** Id of the job or its beginning; empty when the folder holds one. */
  readonly job: string;
  readonly replace: boolean;
  readonly partial: boolean;
  readonly startMs: number;
}

/**
 * @throws {PeError} `PE_INCOMPLETE` naming the cells of parts that are not there, unless `partial`; what
 *   `openPartsFolder` and `publishMaps` throw
 */
export async function reduceFolder(
  folder: string,
  { output, job: wanted, replace, partial, startMs }: FolderReduction,
): Promise<Collected> {
  const { record, store, ends, hasEnded } = await openPartsFolder(folder, wanted);
  const parts = partsInPlace(store);
  const gone = new Set(await parts.missing([...ends.values()].flatMap((end) => ("part" in end ? [end.part] : []))));
  const tasks = [...ends].flatMap(([index, end]) => ("part" in end && gone.has(end.part) ? [] : [index]));
  tasks.sort((a, b) => a - b);
  const missing = describeMissing(record.job, new Set(tasks));
  if (tasks.length === 0 || (missing.length > 0 && !partial)) throw incomplete(folder, hasEnded, missing);
  const job = partOfJob(record.job, tasks);
  const check = async (path: string): Promise<MapSource> => await checkOutput(path, job.manifest, replace);
  return await intoOutput(output, check, async ({ publish }) => {
    const found = tasks.map((index) => ends.get(index)!);
    const names = found.flatMap((end) => ("part" in end ? [end.part] : []));
    const computed = {
      job,
      ends: found,
      summaries: await inLanes(names, READS_AT_ONCE, async (name) => await summaryOf(parts, name)),
      seriesNow: 0,
      finishedBefore: names.length,
      threads: 0,
      wallMs: 0,
    };
    const report = await publish(async (path, source) => {
      return await publishJob(computed, { path, output, source, replace, parts, startMs, planMs: 0 });
    });
    return { report, missing };
  });
}

/** What the task told when it was computed, as far as its part still does. */
async function summaryOf(parts: PartReader, part: string): Promise<PeSummary> {
  const { file, sha256, series, problems } = decodePart(part, await parts.read(part)).header;
  return { part, file, sha256, series, problems: problems.length, ...FOUND };
}

const FOUND = { reused: true, read: false, inflated: 0, readMs: 0, decodeMs: 0, computeMs: 0 };

const FILES_TOLD_MAX = 8;

function incomplete(folder: string, hasEnded: boolean, missing: readonly string[]): PeError {
  const more = missing.length > FILES_TOLD_MAX ? `, and ${missing.length - FILES_TOLD_MAX} more files` : "";
  return new PeError(
    "PE_INCOMPLETE",
    `Cannot make all maps of the parts in "${folder}": ${hasEnded ? "the job has ended, but there are" : "nobody has seen the job's end, and there are"} ` +
      `no whole parts of ${missing.slice(0, FILES_TOLD_MAX).join(", ")}${more}; ` +
      `${hasEnded ? "submit the job again" : "wait for it (pe-client attach) or submit it again"}, or --partial to leave these cells NaN`,
    { details: { missing, hasEnded } },
  );
}
