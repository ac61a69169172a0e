/**
 * Task lists of the original system: `order TAB delay TAB infile TAB outfile`. All lines of a list that want the
 * same orders and delays become one job, whose parts become the result files.
 */
import { stat } from "node:fs/promises";
import { dirname, relative, sep } from "node:path";
import { PeError } from "../../common/errors.ts";
import { inLanes } from "../../common/lanes.ts";
import type { Input } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { placeOf } from "../../data/objects/by-address.ts";
import { fixedPlace, folderOf, placeIn } from "../../data/result-place.ts";
import { resultFileName, type TaskLine } from "../../data/result-text.ts";
import { jobWanting, planPe, type PeJob } from "../../tasks/pe/plan.ts";
import type { JobRecord, WantedResult } from "./job-record.ts";

/**
 * The jobs that compute what the lines name, and nothing else.
 *
 * @throws {PeError} `PE_INPUT_EMPTY` when a file of the list is not there, `PE_PARAMETER` when two lines write one file.
 */
export async function planTaskList(lines: readonly TaskLine[], listName: string): Promise<[JobRecord, ...JobRecord[]]> {
  if (lines.length === 0) throw new PeError("PE_INPUT_EMPTY", `Cannot submit "${listName}": it holds no line`);
  const usableLines = lines.map((line) => ({ ...line, infile: usable(line.infile), outfile: usable(line.outfile) }));
  refuseSharedOutfiles(usableLines, listName);
  const input = await inputOf(usableLines, listName);
  const records: JobRecord[] = [];
  for (const { orders, delays, wanted } of productsOf(usableLines)) {
    const infiles = new Set(wanted.map(({ infile }) => infile));
    const files = input.files.filter(({ path }) => infiles.has(path));
    const ordinals = new Map(files.map(({ path }, ordinal) => [path, ordinal]));
    const results = new Map(
      wanted.map(({ infile, ...result }) => [result.outfile, { ...result, ordinal: ordinals.get(infile)! }]),
    );
    const job = await planPe({ input: { ...input, files }, orders, delays, measures: ["pe"] });
    records.push(recordOf(job, [...results.values()]));
  }
  return records as [JobRecord, ...JobRecord[]];
}

/** A job of maps is another one than that of the same maps' result files, and that another for each place of them. */
export function recordOf(job: PeJob, results: readonly WantedResult[]): JobRecord {
  return { job: results.length === 0 ? job : jobWanting(job, results), results };
}

function refuseSharedOutfiles(lines: readonly TaskLine[], listName: string): void {
  const written = new Map<string, TaskLine>();
  for (const line of lines) {
    const other = written.get(line.outfile);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(line))
      throw new PeError(
        "PE_PARAMETER",
        `Cannot submit "${listName}": two lines with other inputs, orders or delays write "${line.outfile}"; give each an outfile of its own`,
      );
    written.set(line.outfile, line);
  }
}

/** Lines that name every order with every delay for each of their files. */
interface Product {
  readonly orders: number[];
  readonly delays: number[];
  readonly wanted: readonly TaskLine[];
}

/** A list with more sorts of lines is one job, which computes every order at every delay. */
const PRODUCTS_MAX = 64;

/** Of a file, delays with the same orders go together; of all files, those that want the same. */
function productsOf(lines: readonly TaskLine[]): Product[] {
  const products = new Map<string, TaskLine[]>();
  for (const ofFile of grouped(lines, ({ infile }) => infile)) {
    const ofDelays = grouped(ofFile, ({ delay }) => String(delay));
    for (const ofOrders of grouped(ofDelays, (own) => ordersOf(own).join(",")).map((own) => own.flat())) {
      const key = `${ordersOf(ofOrders).join(",")} ${delaysOf(ofOrders).join(",")}`;
      products.set(key, [...(products.get(key) ?? []), ...ofOrders]);
    }
  }
  const groups = products.size > PRODUCTS_MAX ? [[...lines]] : [...products.values()];
  return groups.map((wanted) => ({ orders: ordersOf(wanted), delays: delaysOf(wanted), wanted }));
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

function ordersOf(lines: readonly TaskLine[]): number[] {
  return distinct(lines.map(({ order }) => order));
}

function delaysOf(lines: readonly TaskLine[]): number[] {
  return distinct(lines.map(({ delay }) => delay));
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

/** The files of a list under the folder that they have in common. */
async function inputOf(lines: readonly TaskLine[], listName: string): Promise<Input> {
  const paths = [...new Set(lines.map(({ infile }) => infile))];
  const objects = paths.filter((path) => isS3Url(path));
  if (objects.length > 0 && objects.length < paths.length)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot submit "${listName}": some of its files are on S3, such as "${objects[0]!}", and others are not; make a list of each`,
    );
  const missing = (path: string): PeError =>
    new PeError("PE_INPUT_EMPTY", `Cannot submit "${listName}": there is no file "${path}"`);
  const { root, files } = objects.length > 0 ? await findObjects(paths, missing) : await findFiles(paths, missing);
  return { root, kind: "shards", files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

type Missing = (path: string) => PeError;

async function findFiles(paths: readonly string[], missing: Missing): Promise<Omit<Input, "kind">> {
  const root = paths.map((path) => dirname(path)).reduce((a, b) => commonFolder(a, b, sep)) || sep;
  const files = await inLanes(paths, LOOKS_AT_ONCE, async (path) => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) throw missing(path);
    const name = relative(root, path).split(sep).join("/");
    return { name, path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
  });
  return { root, files };
}

async function findObjects(paths: readonly string[], missing: Missing): Promise<Omit<Input, "kind">> {
  const root = `${paths.map(folderOf).reduce((a, b) => commonFolder(a, b, "/"))}/`;
  if (root.split("/").length < BUCKET_SLASHES + 1)
    throw new PeError("PE_PARAMETER", "Cannot submit a list of several buckets as one job; make a list of each");
  const files = await inLanes(paths, LOOKS_AT_ONCE, async (path) => {
    const { store, name } = placeOf(path);
    const found = await store.stat(name);
    if (found === undefined) throw missing(path);
    const { bytes, modifiedMs, version } = found;
    return { name: path.slice(root.length), path, bytes, modifiedMs, version };
  });
  return { root, files };
}

const LOOKS_AT_ONCE = 16;
/** Of `s3://bucket/`. */
const BUCKET_SLASHES = 3;

function commonFolder(a: string, b: string, slash: string): string {
  const [left, right] = [a.split(slash), b.split(slash)];
  const differs = left.findIndex((name, place) => name !== right[place]);
  return (differs < 0 ? left : left.slice(0, differs)).join(slash);
}

/** An address of S3 as it stands, a path from the root on. @throws {PeError} `PE_PARAMETER` for any other address. */
function usable(path: string): string {
  if (!isS3Url(path) && /^[a-z][a-z0-9+.-]*:\/\//i.test(path))
    throw new PeError("PE_PARAMETER", `Cannot use "${path}": expected a path or s3://bucket/key`);
  return fixedPlace(path);
}

/** Where results go: those of each pair of order and delay to a folder of their own below `output` when there are several. */
interface ResultFolders {
  readonly orders: readonly number[];
  readonly delays: readonly number[];
  readonly output: string;
}

/** Lines for every pair of order and delay and every file of an input, as the original system printed them. */
export function taskLines({ files }: Input, folders: ResultFolders): TaskLine[] {
  return pairsOf(folders).flatMap(({ order, delay, folder }) =>
    files.map(({ name, path }) => ({ order, delay, infile: path, outfile: placeIn(folder, resultFileName(name)) })),
  );
}

/**
 * The result files of a job in the original's layout: `<output>/<shard>-pe.txt`.
 *
 * @throws {PeError} `PE_PARAMETER` when the job does not compute entropies, or two of its shards have one name.
 */
export function wantedResults({ manifest }: PeJob, output: string): WantedResult[] {
  const { source, common } = manifest;
  if (!common.measures.includes("pe"))
    throw new PeError("PE_PARAMETER", "Cannot write result files without --measures pe: their lines are x,y,pe");
  const ordinals = distinct(manifest.tasks.map(([ordinal]) => ordinal));
  const names = new Map<string, string>();
  for (const { name } of ordinals.map((ordinal) => source.files[ordinal]!)) {
    const other = names.get(resultFileName(name));
    if (other !== undefined)
      throw new PeError(
        "PE_PARAMETER",
        `Cannot write result files: "${other}" and "${name}" would have one; submit the folders one by one`,
      );
    names.set(resultFileName(name), name);
  }
  return pairsOf({ orders: common.orders, delays: common.delays, output }).flatMap(({ order, delay, folder }) =>
    ordinals.map((ordinal) => {
      const outfile = placeIn(folder, resultFileName(source.files[ordinal]!.name));
      return { outfile, ordinal, order, delay };
    }),
  );
}

function pairsOf({ orders, delays, output }: ResultFolders): { order: number; delay: number; folder: string }[] {
  const isOne = orders.length * delays.length === 1;
  return orders.flatMap((order) =>
    delays.map((delay) => {
      const folder = fixedPlace(isOne ? output : placeIn(output, `m${two(order)}t${two(delay)}`));
      return { order, delay, folder };
    }),
  );
}

/** As in the names of the original's lists, `tasks-m06t02.txt`. */
function two(value: number): string {
  return String(value).padStart(2, "0");
}
