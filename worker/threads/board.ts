/**
 * Shared memory on which a thread writes how the tasks of its frame end, so that nothing of what it finished is lost when it
 * dies under the next one, and no message is needed for each.
 *
 * Layout, 32-bit words: tasks begun, tasks ended, bytes written · for each task: microseconds, end of its result among
 * the bytes (`BY_PORT`: its end came over the port) · the bytes.
 */

/** Tasks of a frame. */
export const BOARD_TASKS_MAX = 1024;
const BYTES_MAX = 128 * 1024;
/** A larger result goes over the port. */
const RESULT_BYTES_MAX = 8 * 1024;

const BEGUN = 0;
const ENDED = 1;
const WRITTEN = 2;
const HEAD_WORDS = 4;
const TASK_WORDS = 2;
const WORDS = HEAD_WORDS + TASK_WORDS * BOARD_TASKS_MAX;
const BY_PORT = 0xffff_ffff;

/** How one task ended, in the order of the frame. */
export interface BoardEnd {
  readonly place: number;
  readonly tookUs: number;
  /** Undefined: its end came over the port, before it was written here. */
  readonly result: Uint8Array | undefined;
}

export class Board {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #tasks: Uint32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(4 * WORDS + BYTES_MAX)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, HEAD_WORDS);
    this.#tasks = new Uint32Array(memory, 4 * HEAD_WORDS, TASK_WORDS * BOARD_TASKS_MAX);
    this.#bytes = new Uint8Array(memory, 4 * WORDS);
  }

  /** Before a frame; no thread writes on it. */
  clear(): void {
    this.#words.fill(0);
  }

  get begun(): number {
    return Atomics.load(this.#words, BEGUN);
  }

  get ended(): number {
    return Atomics.load(this.#words, ENDED);
  }

  /** The thread begins its next task. */
  begin(): void {
    Atomics.add(this.#words, BEGUN, 1);
  }

  /** Whether a result fits here, beside those already written. */
  takes(result: Uint8Array): boolean {
    return result.byteLength <= Math.min(RESULT_BYTES_MAX, BYTES_MAX - this.#words[WRITTEN]!);
  }

  /** The task begun last has ended; without a result its end was sent over the port before. */
  end(tookUs: number, result: Uint8Array | undefined): void {
    const place = this.#words[ENDED]!;
    let end = BY_PORT;
    if (result !== undefined) {
      const start = this.#words[WRITTEN]!;
      this.#bytes.set(result, start);
      this.#words[WRITTEN] = end = start + result.byteLength;
    }
    this.#tasks[TASK_WORDS * place] = Math.min(Math.round(tookUs), 0xffff_ffff);
    this.#tasks[TASK_WORDS * place + 1] = end;
    // Whoever sees this count sees all that was written before.
    Atomics.store(this.#words, ENDED, place + 1);
  }

  /** The ends of tasks from `place` on. Results are copies: a thread's next frame overwrites the memory. */
  read(first: number): BoardEnd[] {
    const ended = this.ended;
    let start = this.#endBefore(first);
    const bytes = this.#bytes.slice(start, this.#endBefore(ended));
    const base = start;
    const ends: BoardEnd[] = [];
    for (let place = first; place < ended; place++) {
      const tookUs = this.#tasks[TASK_WORDS * place]!;
      const end = this.#tasks[TASK_WORDS * place + 1]!;
      ends.push({ place, tookUs, result: end === BY_PORT ? undefined : bytes.subarray(start - base, end - base) });
      if (end !== BY_PORT) start = end;
    }
    return ends;
  }

  /** Where the results of the tasks before `place` end. */
  #endBefore(place: number): number {
    for (let before = place - 1; before >= 0; before--) {
      const end = this.#tasks[TASK_WORDS * before + 1]!;
      if (end !== BY_PORT) return end;
    }
    return 0;
  }
}
