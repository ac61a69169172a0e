/** pe-client submit: maps of an input, computed by the workers of a scheduler. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { counted } from "../../../common/counted.ts";
import { asPeError, EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import { makeFolders } from "../../../data/folders.ts";
import { parseTaskLines } from "../../../data/result-text.ts";
import { planPe, type PeJob } from "../../../tasks/pe/plan.ts";
import type { JobRecord } from "../../maps/job-record.ts";
import type { Cluster, MapsOnCluster } from "../../maps/maps-on-cluster.ts";
import { checkOutput } from "../../maps/output-check.ts";
import { submitMaps, type Submitting } from "../../maps/submitting.ts";
import { planTaskList, recordOf, wantedResults } from "../../maps/task-list.ts";
import { checkUpload, uploadSize, type UploadProgress } from "../../maps/uploading.ts";
import { CLUSTER_OPTIONS, withCluster } from "../cluster.ts";
import { COLLECT_OPTIONS, collectHere } from "../collecting.ts";
import { readRequest, requestOptions } from "../map-request.ts";
import { formatBytes, planRecord, planText } from "../plan-text.ts";
import { createProgress, type ProgressState } from "../progress.ts";
import { parseSigned, parseWhole } from "../quantities.ts";
import { withS3Options } from "../s3-options.ts";

const PRIORITY_MAX = 1_000_000;
const FAILS_MAX = 2 ** 32 - 1;

export const submit: CommandSpec = withS3Options({
  name: "submit",
  about:
    "Compute maps on a cluster: submits a durable job, prints its id, waits for its end and makes the maps here. " +
    "Ctrl-C ends the waiting only. The same command again joins the job.",
  options: [
    ...requestOptions(false),
    {
      flags: "--output FILE",
      about: "maps file to make or to merge into, on this machine or s3://bucket/key; with --part-format text a folder",
    },
    {
      flags: "--part-format FORMAT",
      about: "packed: maps; text: a file <output>/<shard>-pe.txt of lines x,y,pe for each shard, order and delay",
      default: "packed",
    },
    { flags: "--task-file FILE", about: "lines order TAB delay TAB infile TAB outfile instead: writes result files" },
    { flags: "--detach", about: "do not wait; pe-client attach makes the maps later" },
    { flags: "--wait", about: "wait (this is the default)" },
    { flags: "--priority N", about: "higher goes first", default: "0" },
    { flags: "--max-fails N", about: "cancel the rest after more failed tasks than this (default: never)" },
    {
      flags: "--parts URL",
      about:
        "where results go until the maps are made: a folder that all workers see, or s3://bucket/prefix " +
        "(default: the scheduler's own store)",
    },
    {
      flags: "--upload",
      about: "send the shards to where results go, for workers that cannot see them; what is there is not sent again",
    },
    { flags: "--dry-run", about: "show the plan, with the requests to S3, and stop; no scheduler is asked" },
    ...COLLECT_OPTIONS,
    ...CLUSTER_OPTIONS,
    JSON_OPTION,
  ],
  examples: [
    "pe-client submit --input shards --output maps.hdf5 --orders 3-7 --delays 1-10,22-24,90 --shards 0:100",
    "pe-client submit --input shards --upload --output maps.hdf5 --orders 5 --delays 1-20",
    "pe-client submit --task-file tasks-m06t02.txt --detach",
    "pe-client submit --input s3://lasers/shards --orders 6 --delays 2 --part-format text --output s3://lasers/results",
  ],
  run: submitCommand,
});

async function submitCommand(given: Given, console: Console): Promise<number> {
  checkOptions(given);
  const maxFails = given.parsed("max-fails", (text) => parseWhole(text, "--max-fails", 0, FAILS_MAX));
  const priority = parseSigned(given.needed("priority"), "--priority", PRIORITY_MAX);
  const startMs = performance.now();
  const records = await plan(given);
  const output = given.text("output");
  // Found out before hours of work, not after.
  if (output !== undefined && !writesText(given))
    await checkOutput(output, records[0].job.manifest, given.flag("replace"));
  const planMs = performance.now() - startMs;
  const uploads = given.flag("upload");
  if (uploads) for (const { job } of records) checkUpload(job);
  const text = records.map(({ job }) => planText(job) + (uploads ? uploadText(job) : "")).join("");
  if (given.flag("dry-run")) {
    const told = records.map(({ job }) => ({ ...planRecord(job), ...(uploads && { upload: uploadSize(job) }) }));
    printResult(console, given.flag("json"), oneOrAll(told), text);
    return EXIT.ok;
  }
  console.stderr(text);
  return await withCluster(given, console, async (cluster) => {
    const parts = given.text("parts");
    const submitting = {
      priority,
      ...(parts !== undefined && { parts: await partsUrl(parts) }),
      ...(maxFails !== undefined && { maxFails }),
    };
    const jobs = uploads
      ? await uploadAll(cluster, records, submitting, console)
      : await submitAll(cluster, records, submitting);
    tellSubmitted(jobs, given, console);
    return given.flag("detach")
      ? EXIT.ok
      : await collectHere(cluster, jobs, { startMs, planMs, now: false }, given, console);
  });
}

type Jobs = [MapsOnCluster, ...MapsOnCluster[]];

async function submitAll(
  cluster: Cluster,
  [first, ...rest]: readonly [JobRecord, ...JobRecord[]],
  submitting: Submitting,
): Promise<Jobs> {
  const jobs: Jobs = [await submitMaps(cluster, first, submitting)];
  for (const record of rest) jobs.push(await submitMaps(cluster, record, submitting));
  return jobs;
}

/** The same with their shards, until they are in the store or Ctrl-C stops it. */
async function uploadAll(
  cluster: Cluster,
  records: readonly [JobRecord, ...JobRecord[]],
  submitting: Submitting,
  console: Console,
): Promise<Jobs> {
  const progress = createProgress(console, "uploading");
  const signals = stopOnSignals(console, "stopping the upload; what was sent stays (again to leave at once)");
  const upload = async (record: JobRecord): Promise<MapsOnCluster> => {
    let last: UploadProgress | undefined;
    const onProgress = (state: UploadProgress): void => {
      last = state;
      progress.update(uploadState(state));
    };
    const maps = await submitMaps(cluster, record, { ...submitting, upload: { signal: signals.signal, onProgress } });
    progress.end();
    if (last?.doing === "uploading")
      console.stderr(
        `uploaded ${formatBytes(last.bytes - last.thereBytes)}; ${formatBytes(last.thereBytes)} were there\n`,
      );
    return maps;
  };
  try {
    const [first, ...rest] = records;
    const jobs: Jobs = [await upload(first)];
    for (const record of rest) jobs.push(await upload(record));
    return jobs;
  } finally {
    progress.end();
    signals.release();
  }
}

function uploadState({ doing, bytes, totalBytes, thereBytes, file }: UploadProgress): ProgressState {
  const [done, total, before] = [bytes, totalBytes, thereBytes].map((each) => Math.round(each / 1e6)) as [
    number,
    number,
    number,
  ];
  return { done, total, before, unit: "MB", current: doing === "hashing" ? `hashing ${file}` : file };
}

function uploadText(job: PeJob): string {
  const { files, bytes } = uploadSize(job);
  return `upload   ${counted(files, "file")}, ${formatBytes(bytes)}, less what the store has of them\n`;
}

/** A task list may be several jobs; anything else is one. */
function oneOrAll<Item>(items: readonly Item[]): Item | readonly Item[] {
  const [first, ...rest] = items;
  return rest.length === 0 ? first! : items;
}

/** @throws {PeError} `PE_PARAMETER` for options that do not go together. */
function checkOptions(given: Given): void {
  const refuse = (reason: string): PeError =>
    new PeError("PE_PARAMETER", `Cannot submit ${reason}; see pe-client submit --help`);
  if (given.flag("wait") && given.flag("detach")) throw refuse("with --wait and --detach: give one of them");
  const wanted = ["input", "orders", "delays"];
  if (given.has("task-file")) {
    const also = [...wanted, "output", "shards", "x", "y"].filter((name) => given.has(name));
    if (also.length > 0)
      throw refuse(`--task-file with --${also[0]}: its lines say what is computed and where it goes`);
    return;
  }
  const needsOutput = writesText(given) || !given.flag("detach");
  const missing = [...wanted, ...(needsOutput ? ["output"] : [])].filter((name) => !given.has(name));
  if (missing.length > 0) throw refuse(`without ${missing.map((name) => `--${name}`).join(", ")}`);
}

/** @throws {PeError} `PE_PARAMETER` */
function writesText(given: Given): boolean {
  const format = given.needed("part-format");
  if (format !== "packed" && format !== "text")
    throw new PeError("PE_PARAMETER", `Cannot read --part-format ${format}: expected packed or text`);
  return format === "text";
}

/** One job; of a task list one for each set of orders and delays in it. */
async function plan(given: Given): Promise<[JobRecord, ...JobRecord[]]> {
  const list = given.text("task-file");
  if (list === undefined) {
    const job = await planPe(readRequest(given));
    return [recordOf(job, writesText(given) ? wantedResults(job, given.needed("output")) : [])];
  }
  const text = await readFile(list, "utf8").catch((error: unknown) => {
    throw asPeError(error, "PE_INPUT_EMPTY", `Cannot read task list "${list}"`);
  });
  return await planTaskList(parseTaskLines(text, list), list);
}

/** What is a URL already; or a folder by its path, made where it is missing. */
async function partsUrl(text: string): Promise<string> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  await makeFolders(text).catch((error: unknown) => {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot make the folder "${text}" for parts`);
  });
  return pathToFileURL(resolve(text)).href;
}

/** The ids alone on stdout, so that a script can take them; with --json the one document comes at the end. */
function tellSubmitted(jobs: readonly MapsOnCluster[], given: Given, console: Console): void {
  for (const { cluster, record, before, retried } of jobs)
    if (cluster.known)
      console.stderr(
        `joined: ${before} of ${counted(record.job.taskCount, "task")} finished before` +
          `${retried === 0 ? "" : `, ${retried} failed or cancelled ones run again`}\n`,
      );
  const isJson = given.flag("json");
  const ids = jobs.map(({ cluster: { id } }) => id).join("\n");
  const told = jobs.map(({ cluster: { id, known, parts }, record, before, retried }) => {
    return { job: id, joined: known, tasks: record.job.taskCount, finishedBefore: before, retried, parts };
  });
  if (given.flag("detach")) printResult(console, isJson, oneOrAll(told), ids);
  else if (!isJson) console.stdout(`${ids}\n`);
}
