/**
 * The last transitions of all tasks in one ring, so that an error can tell what happened to its task. Costs 28 bytes a
 * transition, whatever the number of tasks; the ring grows to its size as it is used.
 */
import { STORY_LINES_MAX, STORY_RING, WORKERS_MAX } from "./limits.ts";
import { TASK_STATES, type TaskState } from "./task-state.ts";

const FIELDS = 5;
const FIRST_RING = 256;
/** More than there are workers: some have come and gone. */
const NAMES_MAX = 4 * WORKERS_MAX;

export class StoryRing {
  #length = FIRST_RING;
  #entries = new Uint32Array(FIRST_RING * FIELDS);
  #times = new Float64Array(FIRST_RING);
  #next = 0;
  /** By number, of the workers that connected last. */
  readonly #names = new Map<number, string>();

  /** A worker has this name from now on. */
  name(worker: number, name: string): void {
    this.#names.set(worker, name);
    if (this.#names.size > NAMES_MAX) this.#names.delete(this.#names.keys().next().value!);
  }

  /** `worker` is a worker's number, or 0. */
  add(nowMs: number, job: number, task: number, to: TaskState, attempt: number, worker: number): void {
    if (this.#next === this.#length && this.#length < STORY_RING) this.#grow();
    const slot = this.#next % this.#length;
    this.#next++;
    this.#times[slot] = nowMs;
    const at = slot * FIELDS;
    this.#entries[at] = job;
    this.#entries[at + 1] = task;
    this.#entries[at + 2] = to;
    this.#entries[at + 3] = attempt;
    this.#entries[at + 4] = worker;
  }

  /** Oldest first: `12.204 s ago: processing, attempt 2, worker "a"`. */
  of(job: number, task: number, nowMs: number): string[] {
    const lines: string[] = [];
    const oldest = Math.max(0, this.#next - this.#length);
    for (let entry = this.#next - 1; entry >= oldest && lines.length < STORY_LINES_MAX; entry--) {
      const slot = entry % this.#length;
      const at = slot * FIELDS;
      if (this.#entries[at] !== job || this.#entries[at + 1] !== task) continue;
      const state = TASK_STATES[this.#entries[at + 2]!]!;
      const [attempt, worker] = [this.#entries[at + 3]!, this.#entries[at + 4]!];
      const who = worker > 0 ? `, worker ${this.#nameOf(worker)}` : "";
      const ago = duration(nowMs - this.#times[slot]!);
      lines.push(`${ago} ago: ${state}${attempt > 0 ? `, attempt ${attempt}` : ""}${who}`);
    }
    return lines.toReversed();
  }

  #nameOf(worker: number): string {
    const name = this.#names.get(worker);
    return name === undefined ? String(worker) : `"${name}"`;
  }

  /** Before it goes round for the first time: what is in it stays in its place. */
  #grow(): void {
    this.#length *= 4;
    const [entries, times] = [this.#entries, this.#times];
    this.#entries = new Uint32Array(this.#length * FIELDS);
    this.#entries.set(entries);
    this.#times = new Float64Array(this.#length);
    this.#times.set(times);
  }
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Two units at most: what is long ago needs no milliseconds. */
function duration(ms: number): string {
  if (ms < MINUTE_MS) return `${(ms / SECOND_MS).toFixed(3)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ${Math.floor((ms % MINUTE_MS) / SECOND_MS)} s`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h ${Math.floor((ms % HOUR_MS) / MINUTE_MS)} min`;
  return `${Math.floor(ms / DAY_MS)} d ${Math.floor((ms % DAY_MS) / HOUR_MS)} h`;
}
