/**
 * The grid of an input, found without reading its data: its size comes from ALL files, whatever range is asked for, so
 * that maps of disjoint ranges have one shape.
 *
 * File names and the attribute `x_index_max` overstate the grid at its edges, so the metadata of the files of the last x
 * and y blocks is read, of every file whose name gives no block, and of one for the length of its series.
 */
import { asPeError, PeError, type ErrorRecord } from "../../common/errors.ts";
import { shardBlock, type Input } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { readShardHeaders } from "../../data/shard-headers.ts";
import type { SeriesHeader, ShardHeaders } from "../../data/shard.ts";

export interface Grid {
  readonly xSize: number;
  readonly ySize: number;
  /** Edge of a block of the grid in cells, where known. */
  readonly shardSize?: number;
}

export interface Survey {
  readonly grid: Grid;
  /** Samples per series: the length that most of the series seen have, the longer of two equally common. */
  readonly length: number;
  /** Number of series by file ordinal, for the files that were opened. */
  readonly seriesCounts: ReadonlyMap<number, number>;
  /** Files that could not be opened. Their blocks, where the names give them, still count for the grid. */
  readonly unreadable: ReadonlyMap<number, ErrorRecord>;
}

/** @throws {PeError} `PE_INPUT_EMPTY` when none of the files opened holds a series. */
export async function surveyShards({ root, files }: Input): Promise<Survey> {
  const blocks = files.map(({ name }) => shardBlock(name));
  const survey = new Surveyor();
  const edge = edgeOrdinals(blocks);
  const headers = new HeadersAhead(files, edge);
  const open = async (ordinal: number): Promise<void> => {
    const file = files[ordinal]!;
    try {
      const { series, attributes } = await headers.get(ordinal);
      survey.see(ordinal, series, attributes.shardSize);
    } catch (error) {
      survey.unreadable.set(ordinal, asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`).toRecord());
      const block = blocks[ordinal];
      if (block !== undefined) survey.cover(block.x, block.y);
    }
  };
  for (const ordinal of edge) await open(ordinal);
  // The edge may be unreadable altogether: then any file tells the length.
  for (let ordinal = 0; ordinal < files.length && survey.lengths.size === 0; ordinal++)
    if (!survey.seriesCounts.has(ordinal) && !survey.unreadable.has(ordinal)) await open(ordinal);
  if (survey.lengths.size === 0) throw nothingIn(files.length === 1 ? files[0]!.path : root, survey.unreadable);
  return survey.result();
}

/** What objects say travels while others are looked at: the next few of those that will surely be wanted. Files are opened in turn. */
const AHEAD = 4;

class HeadersAhead {
  readonly #files: Input["files"];
  readonly #coming: number[];
  readonly #begun = new Map<number, Promise<ShardHeaders>>();

  constructor(files: Input["files"], wanted: readonly number[]) {
    this.#files = files;
    this.#coming = wanted.filter((ordinal) => isS3Url(files[ordinal]!.path)).toReversed();
  }

  async get(ordinal: number): Promise<ShardHeaders> {
    while (this.#begun.size < AHEAD && this.#coming.length > 0) this.#begin(this.#coming.pop()!);
    const headers = this.#begun.get(ordinal) ?? readShardHeaders(this.#files[ordinal]!);
    this.#begun.delete(ordinal);
    return await headers;
  }

  #begin(ordinal: number): void {
    const headers = readShardHeaders(this.#files[ordinal]!);
    // Told when it is asked for.
    headers.catch(() => undefined);
    this.#begun.set(ordinal, headers);
  }
}

/** Ordinals of the files in the last x and y blocks and of those without a block. */
function edgeOrdinals(blocks: readonly ({ x: number; y: number } | undefined)[]): number[] {
  let xLast = -1;
  let yLast = -1;
  for (const block of blocks) {
    xLast = Math.max(xLast, block?.x ?? -1);
    yLast = Math.max(yLast, block?.y ?? -1);
  }
  return blocks.flatMap((block, ordinal) =>
    block === undefined || block.x === xLast || block.y === yLast ? [ordinal] : [],
  );
}

class Surveyor {
  readonly lengths = new Map<number, number>();
  readonly seriesCounts = new Map<number, number>();
  readonly unreadable = new Map<number, ErrorRecord>();
  #xSize = 0;
  #ySize = 0;
  #shardSize: number | undefined;

  see(ordinal: number, series: readonly SeriesHeader[], shardSize: number | undefined): void {
    this.seriesCounts.set(ordinal, series.length);
    this.#shardSize ??= shardSize;
    for (const { x, y, length } of series) {
      this.cover(x, y);
      this.lengths.set(length, (this.lengths.get(length) ?? 0) + 1);
    }
  }

  cover(x: number, y: number): void {
    this.#xSize = Math.max(this.#xSize, x + 1);
    this.#ySize = Math.max(this.#ySize, y + 1);
  }

  result(): Survey {
    const [[length]] = [...this.lengths].toSorted((a, b) => b[1] - a[1] || b[0] - a[0]) as [[number, number]];
    return {
      grid: {
        xSize: this.#xSize,
        ySize: this.#ySize,
        ...(this.#shardSize !== undefined && { shardSize: this.#shardSize }),
      },
      length,
      seriesCounts: this.seriesCounts,
      unreadable: this.unreadable,
    };
  }
}

function nothingIn(input: string, unreadable: ReadonlyMap<number, ErrorRecord>): PeError {
  const [first] = unreadable.values();
  return first === undefined
    ? new PeError(
        "PE_INPUT_EMPTY",
        `Cannot plan "${input}": it holds no series that can be used; see pe-client inspect`,
      )
    : new PeError(first.code, `Cannot plan "${input}": none of its files can be used. ${first.message}`);
}
