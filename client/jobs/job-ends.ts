/** How the tasks of a job end, told once each, through any number of connections. */
import type { ErrorRecord } from "../../common/errors.ts";
import { decodeValue } from "../../protocol/values.ts";
import type { SchedulerLink, Told } from "../session/link.ts";
import { LinkLost } from "../session/link.ts";
import { taskErrorRecord } from "../session/remote-error.ts";
import type { SchedulerSession } from "../session/session.ts";

export type TaskEnd =
  | {
      readonly index: number;
      readonly status: "finished";
      /** Undefined where it is a value. */
      readonly result: unknown;
      /** The result is held by workers: `ClusterJob.value` fetches it. */
      readonly value?: { readonly bytes: number };
    }
  | {
      readonly index: number;
      readonly status: "erred";
      readonly error: ErrorRecord;
      /** Times that it was tried. */
      readonly attempts: number;
      /** Name of the worker that tried it last; empty where none did. */
      readonly worker: string;
      /** Its last transitions, oldest first. */
      readonly story: readonly string[];
    }
  | {
      readonly index: number;
      readonly status: "cancelled";
      /** Why the scheduler itself cancelled it; absent where a client did. */
      readonly because?: string;
    };

const TOLD = { finished: 1, erred: 2, cancelled: 3 } as const;
type HowTold = (typeof TOLD)[keyof typeof TOLD];
const FIRST_CAPACITY = 1024;

/** What one listener was told: one byte a task. */
export class ToldEnds {
  #how = new Uint8Array(FIRST_CAPACITY);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @returns Whether it is news. A task that ended otherwise since, because it was tried again, is. */
  tell(task: number, how: HowTold): boolean {
    if (task >= this.#how.length) this.#grow(task);
    if (this.#how[task] === how) return false;
    if (this.#how[task] === 0) this.#count++;
    this.#how[task] = how;
    return true;
  }

  /** These, or all that did not finish, are tried again: their ends will be news. */
  forget(tasks: Iterable<number> = this.#how.keys()): void {
    for (const task of tasks) {
      if ((this.#how[task] ?? 0) < TOLD.erred) continue;
      this.#how[task] = 0;
      this.#count--;
    }
  }

  #grow(task: number): void {
    const grown = new Uint8Array(Math.max(this.#how.length * 2, task + 1));
    grown.set(this.#how);
    this.#how = grown;
  }
}

export interface Following {
  readonly session: SchedulerSession;
  /** The job's number on a connection. */
  readonly attach: (link: SchedulerLink) => Promise<number>;
  readonly told: ToldEnds;
  /** Aborts when nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/** Tasks that have ended and end, in batches, until all tasks of the sealed job have. */
export async function* followEnds(following: Following): AsyncGenerator<readonly TaskEnd[]> {
  const { session, signal } = following;
  while (!signal.aborted) {
    try {
      return yield* followOn(await session.link(), following);
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
    }
  }
}

async function* followOn(link: SchedulerLink, { attach, told, signal }: Following): AsyncGenerator<readonly TaskEnd[]> {
  const queue: Told[] = [];
  let wake = (): void => undefined;
  const listener = (message: Told): void => {
    queue.push(message);
    wake();
  };
  const woken = (): void => wake();
  link.onLost(woken);
  signal.addEventListener("abort", woken);
  const job = await attach(link);
  try {
    await link.watch(job, listener);
    for (let total = Infinity; told.count < total && !signal.aborted;) {
      const message = queue.shift();
      if (message === undefined) {
        if (link.isLost) throw new LinkLost();
        await new Promise<void>((done) => (wake = done));
      } else if (message.type === "ended") total = totalOf(message);
      else {
        const ends = endsOf(message, told);
        if (ends.length > 0) yield ends;
      }
    }
  } finally {
    link.unwatch(job, listener);
    signal.removeEventListener("abort", woken);
  }
}

function totalOf({ counts }: Extract<Told, { type: "ended" }>): number {
  return counts.finished + counts.erred + counts.cancelled;
}

function endsOf(message: Exclude<Told, { type: "ended" }>, told: ToldEnds): TaskEnd[] {
  const ends: TaskEnd[] = [];
  if (message.type === "finished") {
    for (const [place, index] of message.tasks.entries()) {
      if (!told.tell(index, TOLD.finished)) continue;
      const bytes = message.results.subarray(place === 0 ? 0 : message.ends[place - 1], message.ends[place]);
      const valueBytes = message.sizes?.[place] ?? 0;
      if (valueBytes > 0) ends.push({ index, status: "finished", result: undefined, value: { bytes: valueBytes } });
      else ends.push({ index, status: "finished", result: decodeValue(bytes) });
    }
  } else if (message.type === "erred") {
    const { task: index, attempts, worker, story } = message;
    if (told.tell(index, TOLD.erred))
      ends.push({ index, status: "erred", error: taskErrorRecord(message), attempts, worker, story });
  } else {
    const { because } = message;
    for (const index of message.tasks)
      if (told.tell(index, TOLD.cancelled))
        ends.push({ index, status: "cancelled", ...(because !== undefined && { because }) });
  }
  return ends;
}
