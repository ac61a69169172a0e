/**
 * Task lists of the original system: `order TAB delay TAB infile TAB outfile`. All lines of a list become one job, which
 * computes every order and delay of the list for every file of it, and whose parts become the result files.
 */
import { stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { PeError } from "../../common/errors.ts";
import type { Input } from "../../data/inputs.ts";
import { resultFileName, type TaskLine } from "../../data/result-text.ts";
import { planPe } from "../../tasks/pe/plan.ts";
import type { JobRecord, WantedResult } from "./job-record.ts";

/** @throws {PeError} `PE_INPUT_EMPTY` when a file of the list is not there, `PE_PARAMETER` when two lines write one file. */
export async function planTaskList(lines: readonly TaskLine[], listName: string): Promise<JobRecord> {
  if (lines.length === 0) throw new PeError("PE_INPUT_EMPTY", `Cannot submit "${listName}": it holds no line`);
  const input = await inputOf(lines, listName);
  const ordinals = new Map(input.files.map(({ path }, ordinal) => [path, ordinal]));
  const job = await planPe({
    input,
    orders: distinct(lines.map(({ order }) => order)),
    delays: distinct(lines.map(({ delay }) => delay)),
    measures: ["pe"],
  });
  const results = new Map<string, WantedResult>();
  for (const { order, delay, infile, outfile } of lines) {
    const result = { outfile: resolve(local(outfile)), ordinal: ordinals.get(resolve(local(infile)))!, order, delay };
    const other = results.get(result.outfile);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(result))
      throw new PeError(
        "PE_PARAMETER",
        `Cannot submit "${listName}": two lines with other inputs, orders or delays write "${outfile}"; give each an outfile of its own`,
      );
    results.set(result.outfile, result);
  }
  return { job, results: [...results.values()] };
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

/** The files of a list under the folder that they have in common. */
async function inputOf(lines: readonly TaskLine[], listName: string): Promise<Input> {
  const paths = [...new Set(lines.map(({ infile }) => resolve(local(infile))))];
  const root = paths.map((path) => dirname(path)).reduce(commonFolder);
  const files = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() !== true)
        throw new PeError("PE_INPUT_EMPTY", `Cannot submit "${listName}": there is no file "${path}"`);
      const name = relative(root, path).split(sep).join("/");
      return { name, path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
    }),
  );
  return { root, kind: "shards", files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

function commonFolder(a: string, b: string): string {
  const [left, right] = [a.split(sep), b.split(sep)];
  const differs = left.findIndex((name, place) => name !== right[place]);
  return (differs < 0 ? left : left.slice(0, differs)).join(sep) || sep;
}

/** @throws {PeError} `PE_PARAMETER` for what is no path. */
function local(path: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use "${path}": this version reads and writes files; copy the objects to a folder that all workers see`,
    );
  return path;
}

/**
 * Lines for every pair of order and delay and every file of an input, as the original system printed them. Each pair's
 * results go to a folder of its own below `output` when there are several.
 */
export function taskLines(
  input: Input,
  { orders, delays, output }: { orders: readonly number[]; delays: readonly number[]; output: string },
): TaskLine[] {
  const isOne = orders.length * delays.length === 1;
  return orders.flatMap((order) =>
    delays.flatMap((delay) => {
      const folder = isOne ? output : join(output, `m${two(order)}t${two(delay)}`);
      return input.files.map(({ name, path }) => ({
        order,
        delay,
        infile: path,
        outfile: join(resolve(folder), resultFileName(name)),
      }));
    }),
  );
}

/** As in the names of the original's lists, `tasks-m06t02.txt`. */
function two(value: number): string {
  return String(value).padStart(2, "0");
}
