/**
 * What may happen only after a record is durable: an acknowledgement, a word to a client, the hand-out of a dependant.
 * Dispatching a dependant before that is the bug that random schedules find once in tens of thousands.
 */
import { assert } from "../../common/assert.ts";

export class Durability {
  #written: number;
  #durable: number;
  /** Ascending by sequence number; `#first` is the first that has not run. */
  #waiting: { readonly sequence: number; readonly action: () => void }[] = [];
  #first = 0;

  /** `sequence`: number of the last record that was recovered. */
  constructor(sequence = 0) {
    this.#written = sequence;
    this.#durable = sequence;
  }

  /** Number of the newest record given to the journal. */
  get written(): number {
    return this.#written;
  }

  get durable(): number {
    return this.#durable;
  }

  /** A record was given to the journal. */
  write(): void {
    this.#written++;
  }

  /** Runs `action` at once when all that was written is durable, else when the newest record is. */
  after(action: () => void): void {
    // What waits for records that are durable already comes first, also while it is being run.
    if (this.#durable === this.#written && this.#first === this.#waiting.length) action();
    else this.#waiting.push({ sequence: this.#written, action });
  }

  /** Everything up to `sequence` is durable: runs what waited for it, in order. */
  reach(sequence: number): void {
    assert(sequence <= this.#written, () => `record ${sequence} is durable, ${this.#written} were written`);
    this.#durable = Math.max(this.#durable, sequence);
    while (this.#first < this.#waiting.length && this.#waiting[this.#first]!.sequence <= this.#durable)
      this.#waiting[this.#first++]!.action();
    if (this.#first > 1024 && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
  }
}
