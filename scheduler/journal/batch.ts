/** Records gathered for the next commit, already in the form in which they are written. */
import { assert } from "../../common/assert.ts";
import { FRAME_BYTES_MAX, FRAME_HEAD_BYTES, RECORD_BYTES_MAX, RECORD_HEAD_BYTES, sealFrame } from "./framing.ts";

const ROOM_BYTES = 64 << 10;

export class Batch {
  #memory = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #bytes = FRAME_HEAD_BYTES;
  #records = 0;

  get records(): number {
    return this.#records;
  }

  /** Of the records with their heads. */
  get bodyBytes(): number {
    return this.#bytes - FRAME_HEAD_BYTES;
  }

  /** False, and nothing changed, when it is full. */
  add(record: Uint8Array): boolean {
    assert(record.byteLength <= RECORD_BYTES_MAX, () => `a record has ${record.byteLength} bytes, too many`);
    const end = this.#bytes + RECORD_HEAD_BYTES + record.byteLength;
    if (end > FRAME_BYTES_MAX) return false;
    if (end > this.#memory.length) this.#grow(end);
    this.#memory.writeUInt32LE(record.byteLength, this.#bytes);
    this.#memory.set(record, this.#bytes + RECORD_HEAD_BYTES);
    this.#bytes = end;
    this.#records++;
    return true;
  }

  /** The frame, a view of memory that `clear` gives free. */
  seal(sequence: number, salt: number): Buffer {
    const frame = this.#memory.subarray(0, this.#bytes);
    sealFrame(frame, sequence, this.#records, salt);
    return frame;
  }

  /** Empty again; memory of an unusually large batch is given back. */
  clear(): void {
    this.#bytes = FRAME_HEAD_BYTES;
    this.#records = 0;
    if (this.#memory.length > ROOM_BYTES * 64) this.#memory = Buffer.allocUnsafeSlow(ROOM_BYTES);
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(FRAME_BYTES_MAX, Math.max(bytes, this.#memory.length * 2)));
    this.#memory.copy(larger, 0, 0, this.#bytes);
    this.#memory = larger;
  }
}
