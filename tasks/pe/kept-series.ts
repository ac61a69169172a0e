/**
 * Series of a shard that some task has inflated, in memory that all threads of a worker share: no other task, and no other
 * job over the same shard, inflates them again.
 *
 * Layout: for each series a 32-bit word that says what lies in its place (0 nothing, `WRITING`, or the type of its samples),
 * then the places, one after the other, each at a multiple of 64 bytes. It follows from the shard's headers alone, so whoever
 * opens the same shard finds the same. Whoever sees a type sees all samples: they were written before.
 */
import type { SampleArray } from "../../data/samples.ts";
import type { Shard } from "../../data/shard.ts";
import type { SharedContent } from "../kind.ts";

/** Of the layout. */
const VERSION = 1;
const ALIGNMENT = 64;
const EMPTY = 0;
const WRITING = -1;
/** By what says that samples of the type are there, less one. Never reordered. */
const TYPES: readonly (new (memory: SharedArrayBuffer, start: number, length: number) => SampleArray)[] = [
  Float64Array,
  Float32Array,
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
];

/** Reads series as a shard does, those that are kept without inflating them. */
export interface SeriesReader {
  /** @throws {PeError} As `Shard.read`. */
  read(row: number): SampleArray;
  /** How many series `read` has inflated. */
  inflated(): number;
}

type Readable = Pick<Shard, "series" | "sampleBytes" | "read">;

/** @param shard What `content` holds. */
export async function keepingSeries(shard: Readable, { sha256, derived }: SharedContent): Promise<SeriesReader> {
  const places = layOut(shard);
  const memory = await derived?.(`pe-series-${VERSION}-${sha256}`, places);
  return memory === undefined ? countingReader(shard) : keepingReader(shard, memory, places);
}

function countingReader(shard: Readable): SeriesReader {
  let inflated = 0;
  return {
    read: (row) => {
      const samples = shard.read(row);
      inflated++;
      return samples;
    },
    inflated: () => inflated,
  };
}

function keepingReader(shard: Readable, memory: SharedArrayBuffer, { starts }: Places): SeriesReader {
  const states = new Int32Array(memory, 0, shard.series.length);
  const inflating = countingReader(shard);
  return {
    read: (row) => {
      const { length } = shard.series[row]!;
      const Type = TYPES[Atomics.load(states, row) - 1];
      if (Type !== undefined) return new Type(memory, starts[row]!, length);
      const samples = inflating.read(row);
      if (Atomics.compareExchange(states, row, EMPTY, WRITING) !== EMPTY) return samples;
      const type = TYPES.findIndex((each) => samples instanceof each);
      new TYPES[type]!(memory, starts[row]!, length).set(samples);
      Atomics.store(states, row, type + 1);
      return samples;
    },
    inflated: () => inflating.inflated(),
  };
}

interface Places {
  readonly bytes: number;
  readonly headBytes: number;
  /** Of each series. */
  readonly starts: Float64Array;
}

function layOut({ series, sampleBytes }: Readable): Places {
  const headBytes = Int32Array.BYTES_PER_ELEMENT * series.length;
  let bytes = aligned(headBytes);
  const starts = Float64Array.from(series, (_, row) => {
    const start = bytes;
    bytes = aligned(bytes + sampleBytes(row));
    return start;
  });
  return { bytes, headBytes, starts };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
