/**
 * The last transitions of all tasks in one ring, so that an error can tell what happened to its task. Costs 28 bytes a
 * transition, whatever the number of tasks; the ring grows to its size as it is used.
 */
import { STORY_LINES_MAX, STORY_RING } from "./limits.ts";
import { TASK_STATES, type TaskState } from "./task-state.ts";

const FIELDS = 5;
const FIRST_RING = 256;

export class StoryRing {
  #length = FIRST_RING;
  #entries = new Uint32Array(FIRST_RING * FIELDS);
  #times = new Float64Array(FIRST_RING);
  #next = 0;

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

  /** Oldest first: `12.204 s processing, attempt 2, worker 3`. Seconds of the shell's clock. */
  of(job: number, task: number): string[] {
    const lines: string[] = [];
    const oldest = Math.max(0, this.#next - this.#length);
    for (let entry = this.#next - 1; entry >= oldest && lines.length < STORY_LINES_MAX; entry--) {
      const slot = entry % this.#length;
      const at = slot * FIELDS;
      if (this.#entries[at] !== job || this.#entries[at + 1] !== task) continue;
      const state = TASK_STATES[this.#entries[at + 2]!]!;
      const [attempt, worker] = [this.#entries[at + 3]!, this.#entries[at + 4]!];
      const seconds = (this.#times[slot]! / 1000).toFixed(3);
      lines.push(
        `${seconds} s ${state}${attempt > 0 ? `, attempt ${attempt}` : ""}${worker > 0 ? `, worker ${worker}` : ""}`,
      );
    }
    return lines.toReversed();
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
