/** Encoded parameters one after the other, as a message has them; grows as tasks are added. */

const FIRST_BYTES = 256;
const FIRST_ENTRIES = 4;

export class Blobs {
  #values = new Uint8Array(FIRST_BYTES);
  #ends = new Uint32Array(FIRST_ENTRIES);
  #bytes = 0;
  #count = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(one: Uint8Array): void {
    const bytes = this.#bytes + one.byteLength;
    if (bytes > this.#values.byteLength) {
      const grown = new Uint8Array(Math.max(this.#values.byteLength * 2, bytes));
      grown.set(this.#values.subarray(0, this.#bytes));
      this.#values = grown;
    }
    if (this.#count === this.#ends.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#values.set(one, this.#bytes);
    this.#bytes = bytes;
    this.#ends[this.#count++] = bytes;
  }

  /** No more will come: gives back what was kept for more. */
  trim(): void {
    if (this.#values.byteLength > this.#bytes) this.#values = this.#values.slice(0, this.#bytes);
    if (this.#ends.length > this.#count) this.#ends = this.#ends.slice(0, this.#count);
  }

  at(place: number): Uint8Array {
    return this.#values.subarray(place === 0 ? 0 : this.#ends[place - 1], this.#ends[place]);
  }

  /** All entries as columns of a message; not to be changed. */
  columns(): { readonly ends: Uint32Array; readonly values: Uint8Array } {
    return { ends: this.#ends.subarray(0, this.#count), values: this.#values.subarray(0, this.#bytes) };
  }

  static of(entries: readonly Uint8Array[]): Blobs {
    const blobs = new Blobs();
    for (const one of entries) blobs.add(one);
    return blobs;
  }
}
