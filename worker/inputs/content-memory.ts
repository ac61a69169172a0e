/** Memory for inputs that one task needs, used again for the next: new memory costs about as much as reading from disk. */

/** Of memory that nobody uses. */
const FREE_BYTES_MAX = 64 * 2 ** 20;
/** Inputs of one job are of about the same size: a little more than needed fits the next one too. */
const STEP_BYTES = 2 ** 20;

export class ContentMemory {
  readonly #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;

  /** At least `bytes`, with anything in it. */
  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    let best = -1;
    for (const [place, { byteLength }] of this.#free.entries())
      if (byteLength >= bytes && byteLength <= 2 * bytes + STEP_BYTES)
        if (best === -1 || byteLength < this.#free[best]!.byteLength) best = place;
    if (best === -1) return new Uint8Array(new SharedArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES));
    const [memory] = this.#free.splice(best, 1);
    this.#freeBytes -= memory!.byteLength;
    return new Uint8Array(memory!);
  }

  /** What does not fit in goes; of what is there the oldest. */
  giveBack(memory: SharedArrayBuffer): void {
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > FREE_BYTES_MAX) this.#freeBytes -= this.#free.shift()!.byteLength;
  }
}
