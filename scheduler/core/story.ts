/**
 * The last transitions of all tasks in one fixed ring, so that an error can tell what happened to its task. Costs 24 bytes
 * a transition, whatever the number of tasks.
 */
import { STORY_LINES_MAX, STORY_RING } from "./limits.ts";
import { TASK_STATES, type TaskState } from "./task-state.ts";

const FIELDS = 5;

export class StoryRing {
  readonly #entries = new Uint32Array(STORY_RING * FIELDS);
  readonly #times = new Float64Array(STORY_RING);
  #next = 0;

  /** `worker` is a worker's number, or 0. */
  add(nowMs: number, job: number, task: number, to: TaskState, attempt: number, worker: number): void {
    const slot = this.#next % STORY_RING;
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
    const oldest = Math.max(0, this.#next - STORY_RING);
    for (let entry = this.#next - 1; entry >= oldest && lines.length < STORY_LINES_MAX; entry--) {
      const at = (entry % STORY_RING) * FIELDS;
      if (this.#entries[at] !== job || this.#entries[at + 1] !== task) continue;
      const state = TASK_STATES[this.#entries[at + 2]!]!;
      const [attempt, worker] = [this.#entries[at + 3]!, this.#entries[at + 4]!];
      const seconds = (this.#times[entry % STORY_RING]! / 1000).toFixed(3);
      lines.push(
        `${seconds} s ${state}${attempt > 0 ? `, attempt ${attempt}` : ""}${worker > 0 ? `, worker ${worker}` : ""}`,
      );
    }
    return lines.toReversed();
  }
}
