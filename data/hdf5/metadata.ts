/**
 * The metadata of a file that is read bit by bit from afar, by ranges. The plain reader is synchronous, so it runs again
 * whenever bytes have come that it had missed, until it misses none: a handful of rounds, since all that it misses in one
 * round is fetched together.
 */
import { NotFetched, type ByteSource } from "./bytes.ts";
import type { RootFile } from "./model.ts";
import { readRoot } from "./plain.ts";

/** Half-open. */
export interface ByteRange {
  readonly start: number;
  readonly stop: number;
}

export interface MetadataOptions {
  /** Length of the file. */
  readonly size: number;
  /** The bytes of each range, exactly. */
  readonly fetch: (ranges: readonly ByteRange[]) => Promise<readonly Uint8Array[]>;
}

export type Metadata = Pick<RootFile, "attributes" | "datasets">;

/** The start of a file holds the root group, often with all its names. */
const FIRST_BYTES = 16_384;
/** The header of a dataset and the index of its chunks lie side by side, far from those of the next. */
const PAGE_BYTES = 4096;
/** What lies between two pages is fetched with them when it is less: a request costs as much. */
const GAP_BYTES_MAX = 65_536;
const ROUNDS_MAX = 64;
/** Of one file. A request more is dearer than the rest of a file of this size. */
const REQUESTS_MAX = 1024;

/**
 * @returns undefined when only the whole file tells: it is not plain (see `plain.ts`), damaged, or its metadata is all over
 *   it, so that reading it whole costs less.
 * @throws what `fetch` throws
 */
export async function readMetadata({ size, fetch }: MetadataOptions): Promise<Metadata | undefined> {
  const pages = fetchedPages(size);
  let wanted: readonly ByteRange[] = [{ start: 0, stop: Math.min(size, FIRST_BYTES) }];
  let requests = 0;
  let bytes = 0;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    requests += wanted.length;
    for (const { start, stop } of wanted) bytes += stop - start;
    if (requests > REQUESTS_MAX || bytes > size / 2) return undefined;
    for (const [place, piece] of (await fetch(wanted)).entries()) pages.add(wanted[place]!.start, piece);
    try {
      const { attributes, datasets } = readRoot(pages.source);
      return { attributes, datasets };
    } catch (error) {
      // The library sees the whole file, and says what is wrong with it.
      if (!(error instanceof NotFetched)) return undefined;
      wanted = pages.missing();
    }
  }
  return undefined;
}

interface FetchedPages {
  readonly source: ByteSource;
  /** @param start A multiple of the size of a page. */
  add(start: number, bytes: Uint8Array): void;
  /** What the reader asked for in vain since the last call; ascending, with what lies closely between. */
  missing(): ByteRange[];
}

function fetchedPages(size: number): FetchedPages {
  const pages = new Map<number, Uint8Array>();
  let missed = new Set<number>();
  const block = (position: number, length: number): DataView => {
    if (!(position >= 0 && length >= 0 && position + length <= size))
      throw new Error(`it ends before byte ${position + length}`);
    const [first, last] = [
      Math.floor(position / PAGE_BYTES),
      Math.floor((position + Math.max(1, length) - 1) / PAGE_BYTES),
    ];
    const found: Uint8Array[] = [];
    for (let page = first; page <= last; page++) {
      const bytes = pages.get(page);
      if (bytes === undefined) missed.add(page);
      else found.push(bytes);
    }
    if (found.length <= last - first) throw new NotFetched();
    const at = position - first * PAGE_BYTES;
    if (found.length === 1) return new DataView(found[0]!.buffer, found[0]!.byteOffset + at, length);
    const joined = Buffer.concat(found);
    return new DataView(joined.buffer, joined.byteOffset + at, length);
  };
  return {
    source: {
      size,
      block,
      data: () => {
        throw new Error("only metadata was fetched");
      },
      close: () => undefined,
    },
    add(start, bytes) {
      for (let at = 0; at < bytes.byteLength; at += PAGE_BYTES)
        pages.set((start + at) / PAGE_BYTES, bytes.subarray(at, at + PAGE_BYTES));
    },
    missing() {
      const ranges = rangesOf([...missed], size);
      missed = new Set();
      return ranges;
    },
  };
}

function rangesOf(pages: number[], size: number): ByteRange[] {
  const ranges: { start: number; stop: number }[] = [];
  for (const page of pages.sort((a, b) => a - b)) {
    const [start, stop] = [page * PAGE_BYTES, Math.min(size, (page + 1) * PAGE_BYTES)];
    const last = ranges.at(-1);
    if (last !== undefined && start - last.stop <= GAP_BYTES_MAX) last.stop = stop;
    else ranges.push({ start, stop });
  }
  return ranges;
}
