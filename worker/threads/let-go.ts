/** Shared memory that nobody uses any more: collected in this thread and in those of the pool, from time to time. */
import { collectGarbage } from "../../common/garbage.ts";

/** That may wait for being collected. A collection takes about as long as to write a tenth of it. */
const BYTES_MAX = 128 * 2 ** 20;

export class LetGo {
  readonly #askThreads: () => void;
  #bytes = 0;

  /** @param askThreads Has them collect when they have ended what they do. */
  constructor(askThreads: () => void) {
    this.#askThreads = askThreads;
  }

  /** Whoever calls this has no reference to the memory any more. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= BYTES_MAX) this.collect();
  }

  collect(): void {
    if (!collectGarbage()) return;
    this.#bytes = 0;
    this.#askThreads();
  }
}
