/** The inputs of a pool's tasks: what its threads share of them, read ahead where the kind says what comes, large ones on disk. */
import type { KnownKind } from "../../tasks/registry.ts";
import { CONTENT_BYTES_MAX } from "./content-reader.ts";
import { ContentExchange } from "./content-exchange.ts";
import { ReadAhead, type StartReader } from "./read-ahead.ts";
import type { ReaderData, TasksToName } from "./reader-messages.ts";
import { readerStarter } from "./reader.ts";
import { ScratchFiles } from "./scratch-files.ts";

/** Inputs kept for threads that share them and for jobs that come, and what tasks make of them, where no memory limit is known. */
const CONTENT_CACHE_BYTES = 256 * 2 ** 20;
/** Whatever the memory limit is. */
const CONTENT_CACHE_BYTES_MAX = 16 * 2 ** 30;

/** Of a memory limit, what is kept, and what one object may take of each thread's part; the rest is for the tasks. */
const CACHE_SHARE = 1 / 8;
const CONTENT_SHARE = 1 / 4;
/** A usual shard comes into memory however little there is. */
const CONTENT_BYTES_MIN = 32 * 2 ** 20;

/** The bounds of a worker that may take so much memory. */
export function inputBounds(
  memoryLimitBytes: number,
  threads: number,
): Required<Pick<InputOptions, "contentCacheBytesMax" | "contentBytesMax">> {
  const share = Math.max(CONTENT_BYTES_MIN, (memoryLimitBytes * CONTENT_SHARE) / threads);
  return {
    contentCacheBytesMax: Math.min(CONTENT_CACHE_BYTES_MAX, memoryLimitBytes * CACHE_SHARE),
    contentBytesMax: Math.min(CONTENT_BYTES_MAX, share),
  };
}

export interface InputOptions {
  readonly contentCacheBytesMax?: number | undefined;
  /** A larger object of a store becomes a file. */
  readonly contentBytesMax?: number | undefined;
  /** Inputs stay for jobs that come, as far as there is room; true by default. */
  readonly keepsInputs?: boolean | undefined;
  /** Shared memory of inputs is of no use any more. */
  readonly onLetGo?: ((bytes: number) => void) | undefined;
  /** Where such files go; the system's folder for temporary files by default. */
  readonly scratch?: string | undefined;
  /** All of them together. */
  readonly scratchBytesMax?: number | undefined;
}

export class PoolInputs {
  readonly exchange: ContentExchange;
  readonly #files: ScratchFiles;
  readonly #readAhead: ReadAhead;
  #naming: ReadonlySet<string> = new Set();

  constructor(data: ReaderData, options: InputOptions, start: StartReader = readerStarter(data)) {
    const { contentCacheBytesMax = CONTENT_CACHE_BYTES, contentBytesMax, scratch, scratchBytesMax } = options;
    this.#files = new ScratchFiles({ parent: scratch, bytesMax: scratchBytesMax, memoryBytesMax: contentBytesMax });
    this.exchange = new ContentExchange(contentCacheBytesMax, {
      files: this.#files,
      keeps: options.keepsInputs,
      onLetGo: options.onLetGo,
    });
    this.#readAhead = new ReadAhead(this.exchange, start);
  }

  /** Those that name inputs; of others nothing is asked. */
  useKinds(kinds: readonly KnownKind[]): void {
    this.#naming = new Set(kinds.filter(({ namesInputs }) => namesInputs === true).map(({ name }) => name));
  }

  /**
   * Whether inputs of a kind's tasks are worth reading ahead: it names them, and inputs come over a network. What lies on a disk
   * of this host is read sooner than a thread is started that would read it.
   */
  areWorthReading(kind: string): boolean {
    return this.exchange.knowsRemote && this.#naming.has(kind);
  }

  /** Has the inputs of tasks read that will run. @param whom Whose they are, until `forget`. */
  prefetch(tasks: TasksToName, whom: object): void {
    if (this.#naming.has(tasks.kind)) this.#readAhead.prefetch(tasks, whom);
  }

  /** Has the thread that reads collect its garbage. */
  collect(): void {
    this.#readAhead.collect();
  }

  /** Its tasks have run, or will not. */
  forget(whom: object): void {
    this.#readAhead.forget(whom);
  }

  /** When no thread runs any more. */
  async close(): Promise<void> {
    await this.#readAhead.close();
    this.#files.close();
  }
}
