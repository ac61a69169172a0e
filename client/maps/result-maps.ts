/** Maps from result files of the original system: lines `x,y,pe` become cells, whoever computed them. */
import { hash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { PeError } from "../../common/errors.ts";
import { packageVersion } from "../../common/version.ts";
import { findMatches, isPattern } from "../../data/glob.ts";
import { inLanes } from "../../common/lanes.ts";
import { CELL_STATUS, OWNER_NONE, publishMaps, readMaps, type SourceShard } from "../../data/maps.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { placeOf, sharedStore } from "../../data/objects/by-address.ts";
import { placeIn } from "../../data/result-place.ts";
import { parseResults, type ResultLine } from "../../data/result-text.ts";
import { intoOutput } from "./maps-output.ts";

const READS_AT_ONCE = 16;
const RESULT_NAME = /-pe\.txt$/;
/** In place of a kernel's version: cells of this program and of these files never share a map. */
const UNKNOWN_KERNEL = "unknown (result files)";

export interface ResultsToMap {
  readonly paths: readonly string[];
  readonly order: number;
  readonly delay: number;
  readonly output: string;
  /** Cells of the grid; by default as far as the lines reach. */
  readonly grid?: { readonly xSize: number; readonly ySize: number };
  readonly replace: boolean;
  /** Writes the map even if cells have no line. */
  readonly partial: boolean;
}

export interface ResultMap {
  readonly map: string;
  readonly output: string;
  readonly grid: readonly [xSize: number, ySize: number];
  readonly files: number;
  readonly cells: number;
  /** `x,y` of cells without a line. */
  readonly missing: readonly string[];
}

/** Result files of a folder, a pattern, or one file. @throws {PeError} `PE_INPUT_EMPTY` */
export async function listResults(path: string): Promise<string[]> {
  if (isS3Url(path)) return await listResultObjects(path);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return [resolve(path)];
  let paths: string[] = [];
  if (found?.isDirectory() === true)
    paths = (await readdir(path)).filter((name) => RESULT_NAME.test(name)).map((name) => join(resolve(path), name));
  else if (isPattern(path)) paths = [...(await findMatches(path)).paths];
  if (paths.length > 0) return paths.toSorted();
  throw noResults(path);
}

/** Those right under a prefix, or one. */
async function listResultObjects(url: string): Promise<string[]> {
  if (RESULT_NAME.test(url)) return [url];
  const folder = url.replace(/\/$/, "");
  const names: string[] = [];
  for await (const { name } of sharedStore(`${folder}/`).list())
    if (!name.includes("/") && RESULT_NAME.test(name)) names.push(name);
  if (names.length === 0) throw noResults(url);
  return names.toSorted().map((name) => placeIn(folder, name));
}

function noResults(path: string): PeError {
  return new PeError(
    "PE_INPUT_EMPTY",
    `Cannot find result files in "${path}": looked for names such as raw_shard_000_000.hdf5-pe.txt`,
  );
}

/**
 * @throws {PeError} `PE_RESULTS_UNREADABLE` naming file and line; `PE_CELL_CONFLICT` when two files claim a cell;
 *   `PE_INCOMPLETE` naming cells without a line, unless `partial`; what `publishMaps` throws
 */
export async function mapResults(wanted: ResultsToMap): Promise<ResultMap> {
  const files = await inLanes(wanted.paths, READS_AT_ONCE, readResults);
  const check = async (path: string): Promise<CheckedResults> => await checkResults(wanted, files, path);
  return await intoOutput(wanted.output, check, async ({ publish }) => {
    return await publish(async (path, checked) => await publishResults(wanted, files, path, checked));
  });
}

interface CheckedResults {
  readonly grid: { readonly xSize: number; readonly ySize: number };
  readonly cells: ReturnType<typeof fillCells>;
  readonly missing: readonly string[];
}

/** @param path Of the maps that are there. */
async function checkResults(
  wanted: ResultsToMap,
  files: readonly ResultsFile[],
  path: string,
): Promise<CheckedResults> {
  const grid = wanted.grid ?? (await gridFor(files, path));
  const cells = fillCells(files, grid);
  const missing = missingCells(cells.owners, grid.ySize);
  if (missing.length > 0 && !wanted.partial) throw incomplete(missing, wanted);
  return { grid, cells, missing };
}

async function publishResults(
  { order, delay, output, replace }: ResultsToMap,
  files: readonly ResultsFile[],
  path: string,
  { grid, cells, missing }: CheckedResults,
): Promise<ResultMap> {
  const count = cells.owners.length;
  const published = await publishMaps(path, {
    ...grid,
    source: { digest: digestOf(files), shards: files.map(({ shard }) => shard) },
    software: `pe-cluster ${packageVersion()}`,
    kernel: UNKNOWN_KERNEL,
    dateIso: new Date().toISOString(),
    coordinates: { x: new Float64Array(count).fill(NaN), y: new Float64Array(count).fill(NaN) },
    owners: cells.owners,
    maps: [{ order, delay, measure: "pe", load: async () => cells }],
    replace,
  });
  const map = published.maps[0]!.name;
  return { map, output, grid: [grid.xSize, grid.ySize], files: files.length, cells: count, missing };
}

interface ResultsFile {
  readonly shard: SourceShard;
  readonly lines: readonly ResultLine[];
}

async function readResults(path: string): Promise<ResultsFile> {
  const { bytes, modifiedMs } = isS3Url(path) ? await readResultObject(path) : await readResultFile(path);
  const sha256 = hash("sha256", bytes, "hex");
  const shard = { name: basename(path), bytes: bytes.byteLength, modifiedMs, sha256 };
  return { shard, lines: parseResults(new TextDecoder().decode(bytes), path) };
}

interface ResultBytes {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

async function readResultFile(path: string): Promise<ResultBytes> {
  const [bytes, { mtimeMs }] = [await readFile(path), await stat(path)];
  return { bytes, modifiedMs: Math.floor(mtimeMs) };
}

async function readResultObject(url: string): Promise<ResultBytes> {
  const { store, name } = placeOf(url);
  const found = await store.stat(name);
  if (found === undefined) throw noResults(url);
  const { bytes } = await store.read(name, { ifVersion: found.version, objectBytes: found.bytes });
  return { bytes, modifiedMs: found.modifiedMs };
}

function digestOf(files: readonly ResultsFile[]): string {
  return hash("sha256", JSON.stringify(files.map(({ shard: { name, sha256 } }) => [name, sha256])), "hex");
}

/** That of the maps that are there, or as far as the lines reach. */
async function gridFor(files: readonly ResultsFile[], path: string): Promise<{ xSize: number; ySize: number }> {
  if ((await stat(path).catch(() => undefined))?.isFile() === true) {
    const maps = await readMaps(path);
    maps.close();
    return { xSize: maps.xSize, ySize: maps.ySize };
  }
  let [xSize, ySize] = [0, 0];
  for (const { lines } of files)
    for (const { x, y } of lines) [xSize, ySize] = [Math.max(xSize, x + 1), Math.max(ySize, y + 1)];
  if (xSize === 0) throw new PeError("PE_INPUT_EMPTY", "Cannot make a map: the result files hold no line");
  return { xSize, ySize };
}

function fillCells(
  files: readonly ResultsFile[],
  { xSize, ySize }: { xSize: number; ySize: number },
): { values: Float64Array; status: Uint8Array; owners: Int32Array } {
  const size = xSize * ySize;
  const values = new Float64Array(size).fill(NaN);
  const [status, owners] = [new Uint8Array(size), new Int32Array(size).fill(OWNER_NONE)];
  for (const [ordinal, { shard, lines }] of files.entries())
    for (const { x, y, value } of lines) {
      const where = `"${shard.name}" has a line for cell (${x}, ${y})`;
      if (x >= xSize || y >= ySize)
        throw new PeError("PE_RESULTS_UNREADABLE", `Cannot make a map: ${where}, the grid is ${xSize} x ${ySize}`);
      const cell = x * ySize + y;
      if (owners[cell] !== OWNER_NONE) {
        const other = `"${files[owners[cell]!]!.shard.name}" has one too; give each cell one line`;
        throw new PeError("PE_CELL_CONFLICT", `Cannot make a map: ${where}, and ${other}`);
      }
      owners[cell] = ordinal;
      values[cell] = value;
      status[cell] = Number.isNaN(value) ? CELL_STATUS.unreadable : CELL_STATUS.value;
    }
  return { values, status, owners };
}

function missingCells(owners: Int32Array, ySize: number): string[] {
  const missing: string[] = [];
  for (const [cell, owner] of owners.entries())
    if (owner === OWNER_NONE) missing.push(`${Math.floor(cell / ySize)},${cell % ySize}`);
  return missing;
}

const CELLS_TOLD_MAX = 10;

function incomplete(missing: readonly string[], { paths }: ResultsToMap): PeError {
  const told = missing.slice(0, CELLS_TOLD_MAX).join(" ");
  const more = missing.length > CELLS_TOLD_MAX ? ` and ${missing.length - CELLS_TOLD_MAX} more` : "";
  return new PeError(
    "PE_INCOMPLETE",
    `Cannot make a map of ${paths.length} result files: no line for cells ${told}${more}; ` +
      "give the missing files, or --partial to leave these cells NaN",
    { details: { missing } },
  );
}
