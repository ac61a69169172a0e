/** Memory that tasks were done with, used again for others: new memory costs about as much as reading from disk. */

/** Of memory that nobody uses. */
const FREE_BYTES_MAX = 64 * 2 ** 20;
/** Inputs of one job are of about the same size: an eighth more than needed fits the next one too. */
const STEPS = 8;
const STEP_BYTES_MIN = 4096;

export class ContentMemory {
  readonly #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;
  readonly #onDropped: (bytes: number) => void;

  /** @param onDropped Told of memory that is not used again. */
  constructor(onDropped: (bytes: number) => void) {
    this.#onDropped = onDropped;
  }

  /** What `take` gives for so many bytes when it is new. */
  static sizeOf(bytes: number): number {
    const step = Math.max(STEP_BYTES_MIN, 2 ** Math.floor(Math.log2(Math.max(1, bytes))) / STEPS);
    return Math.ceil(bytes / step) * step;
  }

  /** At least `bytes`, with anything in it. */
  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    const most = 2 * ContentMemory.sizeOf(bytes);
    let best = -1;
    for (const [place, { byteLength }] of this.#free.entries())
      if (byteLength >= bytes && byteLength <= most)
        if (best === -1 || byteLength < this.#free[best]!.byteLength) best = place;
    if (best === -1) return new Uint8Array(new SharedArrayBuffer(ContentMemory.sizeOf(bytes)));
    const [memory] = this.#free.splice(best, 1);
    this.#freeBytes -= memory!.byteLength;
    return new Uint8Array(memory!);
  }

  /** What does not fit in goes; of what is there the oldest. */
  giveBack(memory: SharedArrayBuffer): void {
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > FREE_BYTES_MAX) {
      const { byteLength } = this.#free.shift()!;
      this.#freeBytes -= byteLength;
      this.#onDropped(byteLength);
    }
  }
}
