/** One series as text: a number a line; blank lines and lines that start with `#` do not count. */
import { readFile } from "node:fs/promises";
import { PeError } from "../common/errors.ts";
import type { SampleArray } from "./samples.ts";

/** Longer texts do not fit one string of the runtime. */
const TEXT_BYTES_MAX = 500_000_000;

/** Element types of integers, narrowest first. */
const INTEGER_ARRAYS = [Uint8Array, Int8Array, Uint16Array, Int16Array, Int32Array] as const;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  ["nan", NaN],
  ["inf", Infinity],
  ["+inf", Infinity],
  ["-inf", -Infinity],
  ["infinity", Infinity],
  ["+infinity", Infinity],
  ["-infinity", -Infinity],
]);

/**
 * Reads a series from a text file.
 *
 * @throws {PeError} `PE_SHARD_LAYOUT` for a line that is no number, with its number, or a text that is too large.
 */
export async function readSeriesText(path: string): Promise<SampleArray> {
  return parseSeriesText(await readFile(path), path);
}

/**
 * Samples in the narrowest array that holds them all: `Uint8Array` for whole numbers from 0 to 255, and so on up to
 * `Float64Array`. `nan` and `inf` are read as such.
 *
 * @throws {PeError} `PE_SHARD_LAYOUT`
 */
export function parseSeriesText(content: Uint8Array, name: string): SampleArray {
  if (content.length > TEXT_BYTES_MAX)
    throw refuse(name, `it has ${content.length} bytes; at most ${TEXT_BYTES_MAX} can be read, use HDF5`);
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("utf8");
  const samples: number[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const sample = NUMBER.test(line) ? Number(line) : NOT_FINITE.get(line.toLowerCase());
    if (sample === undefined) {
      const shown = line.length > 40 ? `${line.slice(0, 40)}...` : line;
      throw refuse(name, `line ${index + 1} is not a number: "${shown}"`, index + 1);
    }
    samples.push(sample);
  }
  return narrowest(samples);
}

function narrowest(samples: readonly number[]): SampleArray {
  let least = Infinity;
  let most = -Infinity;
  for (const sample of samples) {
    if (!Number.isInteger(sample) || Object.is(sample, -0)) return Float64Array.from(samples);
    if (sample < least) least = sample;
    if (sample > most) most = sample;
  }
  for (const Narrow of INTEGER_ARRAYS) {
    const ends = Narrow.of(samples.length === 0 ? 0 : least, samples.length === 0 ? 0 : most);
    if (samples.length === 0 || (ends[0] === least && ends[1] === most)) return Narrow.from(samples);
  }
  return Float64Array.from(samples);
}

function refuse(name: string, reason: string, line?: number): PeError {
  const details = line === undefined ? { shard: name } : { shard: name, line };
  return new PeError("PE_SHARD_LAYOUT", `Cannot read series "${name}": ${reason}`, { details });
}
