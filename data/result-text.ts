/**
 * Results as the original system wrote them, a line per series: `x,y,pe`; and its task lists, a line per task:
 * `order TAB delay TAB infile TAB outfile`.
 */
import { PeError } from "../common/errors.ts";

export interface ResultLine {
  readonly x: number;
  readonly y: number;
  /** NaN where there is a named reason instead of a value. */
  readonly value: number;
}

/** One task of the original system. */
export interface TaskLine {
  readonly order: number;
  readonly delay: number;
  /** A path or `s3://bucket/key`; keys hold spaces, also double ones. */
  readonly infile: string;
  readonly outfile: string;
}

/** `raw_shard_000_000.hdf5-pe.txt`: what the results of a shard are called. */
export function resultFileName(shardName: string): string {
  return `${shardName.slice(shardName.lastIndexOf("/") + 1)}-pe.txt`;
}

/** The shortest text that reads back to the same float64; ends with a newline unless there is no line. */
export function formatResults(lines: readonly ResultLine[]): string {
  return lines.map(({ x, y, value }) => `${x},${y},${value}\n`).join("");
}

/**
 * Reads results with 12 digits, as the original printed them, or in full.
 *
 * @throws {PeError} `PE_RESULTS_UNREADABLE` with the number of the line.
 */
export function parseResults(text: string, name: string): ResultLine[] {
  return numberedLines(text).map(({ line, number }) => {
    const match = /^(\d{1,7}),(\d{1,7}),(nan|[+-]?\d+\.?\d*(?:e[+-]?\d+)?)$/i.exec(line);
    if (match === null) throw refuse("results", name, number, line, "x,y,pe");
    const value = match[3]!.toLowerCase() === "nan" ? NaN : Number(match[3]);
    return { x: Number(match[1]), y: Number(match[2]), value };
  });
}

/** One line per task, each ended by a newline. */
export function formatTaskLines(tasks: readonly TaskLine[]): string {
  return tasks.map(({ order, delay, infile, outfile }) => `${order}\t${delay}\t${infile}\t${outfile}\n`).join("");
}

/**
 * Reads a task list; a file of the original such as `tasks-m06t02.txt` is accepted as it is.
 *
 * @throws {PeError} `PE_RESULTS_UNREADABLE` with the number of the line.
 */
export function parseTaskLines(text: string, name: string): TaskLine[] {
  return numberedLines(text).map(({ line, number }) => {
    const match = /^(\d{1,9})\t(\d{1,9})\t([^\t]+)\t([^\t]+)$/.exec(line);
    if (match === null) throw refuse("task list", name, number, line, "order TAB delay TAB infile TAB outfile");
    return { order: Number(match[1]), delay: Number(match[2]), infile: match[3]!, outfile: match[4]! };
  });
}

/** Lines that hold something; a carriage return before the newline does not count. */
function numberedLines(text: string): { line: string; number: number }[] {
  const lines = text.split("\n").map((line, index) => ({ line: line.replace(/\r$/, ""), number: index + 1 }));
  return lines.filter(({ line }) => line.trim() !== "");
}

function refuse(what: string, name: string, number: number, line: string, expected: string): PeError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}...` : line;
  const message = `Cannot read ${what} "${name}": line ${number} is "${shown}"; expected ${expected}`;
  return new PeError("PE_RESULTS_UNREADABLE", message, { details: { name, line: number } });
}
