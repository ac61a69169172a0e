/** Looks which tasks wait for a thread, and has their inputs read meanwhile. */
import type { Frame } from "../threads/frame.ts";
import { handKey, type HandOut, type WorkerState } from "../core/state.ts";
import type { WorkerPool } from "../threads/pool.ts";

/** Tasks of one job that came together. */
interface Batch {
  readonly hands: readonly HandOut[];
}

type Prefetcher = Pick<WorkerPool, "areInputsWorthReading" | "prefetch" | "forget">;

export class LineInputs {
  readonly #pool: Prefetcher;
  readonly #seen = new WeakSet<HandOut>();
  readonly #batches = new Set<Batch>();

  constructor(pool: Prefetcher) {
    this.#pool = pool;
  }

  /** When tasks have come, or went. */
  look(state: Pick<WorkerState, "jobs" | "hands" | "line" | "slots">): void {
    for (const batch of this.#batches)
      if (!batch.hands.some((hand) => isComing(state, hand))) {
        this.#batches.delete(batch);
        this.#pool.forget(batch);
      }
    // Most jobs have no inputs that come from far: then nothing is looked at one by one.
    for (const { kind } of state.jobs.values())
      if (this.#pool.areInputsWorthReading(kind)) return this.#prefetchNew(state);
  }

  #prefetchNew({ line, slots }: Pick<WorkerState, "line" | "slots">): void {
    // The first of a slot runs already.
    const waiting = [...slots.flatMap(({ frame }) => frame.slice(1)), ...line];
    let hands: HandOut[] = [];
    for (const hand of waiting) {
      if (this.#seen.has(hand) || !this.#pool.areInputsWorthReading(hand.job.kind)) continue;
      this.#seen.add(hand);
      // Parameters that hold large values are not decoded to find a file in them: the task asks for it itself.
      if (hand.values.length > 0) continue;
      if (hands.length > 0 && hands[0]!.job !== hand.job) {
        this.#prefetch(hands);
        hands = [];
      }
      hands.push(hand);
    }
    if (hands.length > 0) this.#prefetch(hands);
  }

  #prefetch(hands: readonly HandOut[]): void {
    const { job, id, kind, common } = hands[0]!.job;
    const tasks = hands.map(({ task, epoch, attempt, parameters, inputs }) => {
      return { task, epoch, attempt, parameters, inputs: inputs as readonly Uint8Array[] };
    });
    const batch: Batch = { hands };
    this.#batches.add(batch);
    this.#pool.prefetch({ job, id, kind, common, tasks } satisfies Frame, batch);
  }
}

/** Whether a task will run here, or runs. */
function isComing({ hands }: Pick<WorkerState, "hands">, hand: HandOut): boolean {
  const { name } = hand.state;
  return (name === "line" || name === "frame") && hands.get(handKey(hand.job.job, hand.task)) === hand;
}
