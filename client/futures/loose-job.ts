/** A transient job at the scheduler that holds loose tasks of one kind; it ends with this client. */
import type { Told } from "../session/link.ts";
import type { FutureBatch } from "./batch.ts";
import type { Whereabouts } from "./whereabouts.ts";

/** What tells jobs apart: tasks of one job have these in common. */
export interface Lane {
  readonly kind: string;
  readonly version: string;
  readonly common: Uint8Array;
  /** Tasks with keys have jobs of their own: what of them is known already shifts the numbers of the rest. */
  readonly hasKeys: boolean;
}

/** Tasks of a batch at their place in a job. */
export interface Append {
  readonly job: LooseJob;
  /** Held while one of its tasks has not ended. */
  batch: FutureBatch | undefined;
  /** Which of the batch; absent: all. */
  readonly places: Uint32Array | undefined;
  readonly count: number;
  /** Number of its first task in the job; known when it is sent. */
  from: number;
  state: "waiting" | "sent" | "durable" | "lost";
}

/** A job is left for a new one beyond this: so that the scheduler can forget the old one. */
const ROWS_GOOD = 65_536;
const APPENDS_GOOD = 4096;

export class LooseJob implements Lane {
  readonly id: string;
  readonly kind: string;
  readonly version: string;
  readonly common: Uint8Array;
  readonly hasKeys: boolean;
  /** Its number on the present connection. */
  number: number | undefined;
  isOpening = false;
  /** Connections lost. */
  life = 0;
  /** Times that the scheduler has lost it. */
  losses = 0;
  /** Of tasks with keys: an append waits for its answer. */
  isBusy = false;
  /** Tasks that the scheduler has or will have by what was sent. */
  rows = 0;
  /** Tasks that it confirmed. */
  durable = 0;
  /** Tasks meant for this job, when all goes well. */
  planned = 0;
  /** Batches whose futures somebody may still have. */
  batches = 0;
  /** Sent, ascending. */
  appends: Append[] = [];
  /** Batches some of whose results are values that somebody here wants. */
  readonly holders = new Set<Whereabouts>();
  /** Numbers of tasks whose results nobody here wants. */
  readonly letGo = new Set<number>();
  /** Who stores parts for tasks that are still to come. */
  keepers = 0;

  constructor(id: string, { kind, version, common, hasKeys }: Lane) {
    this.id = id;
    this.kind = kind;
    this.version = version;
    this.common = common;
    this.hasKeys = hasKeys;
  }

  get isFull(): boolean {
    return this.planned >= ROWS_GOOD || this.appends.length >= APPENDS_GOOD;
  }

  /** Gives an append the next numbers. */
  place(append: Append): void {
    append.from = this.rows;
    append.state = "sent";
    this.rows += append.count;
    this.appends.push(append);
  }

  /** The append that has a task. */
  find(task: number): Append | undefined {
    const { appends } = this;
    let [low, high] = [0, appends.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (appends[middle]!.from <= task) low = middle;
      else high = middle - 1;
    }
    const append = appends[low];
    return append !== undefined && task >= append.from && task < append.from + append.count ? append : undefined;
  }

  /** Whether there is something to hear or to keep: a job that nobody watches ends. */
  get isWanted(): boolean {
    return (
      this.keepers > 0 ||
      this.holders.size > 0 ||
      this.appends.some(({ batch }) => batch !== undefined && batch.unended > 0)
    );
  }

  /** Its number on a new connection, and how many tasks the scheduler has of it. */
  opened(number: number, tasks: number): void {
    this.isOpening = false;
    this.number = number;
    this.rows = tasks;
    if (this.hasKeys) return;
    // What was sent and not confirmed may have arrived.
    for (const append of this.appends)
      if (append.state === "waiting" && append.from + append.count <= tasks) append.state = "durable";
    this.appends = this.appends.filter(({ state }) => state !== "waiting");
    this.durable = tasks;
  }

  /** The connection is gone. @returns What was sent and not confirmed. */
  disconnected(): Append[] {
    this.life++;
    this.number = undefined;
    this.isOpening = false;
    this.isBusy = false;
    const unconfirmed = this.appends.filter(({ state }) => state === "sent");
    for (const append of unconfirmed) append.state = "waiting";
    return unconfirmed;
  }
}

/** Tells batches what the scheduler says of their tasks. */
export function tellTasks(job: LooseJob, message: Told): void {
  if (message.type === "finished")
    for (let index = 0; index < message.tasks.length; index++) {
      const task = message.tasks[index]!;
      const append = job.find(task);
      append?.batch?.finished(placeIn(append, task), message, index);
    }
  else if (message.type === "erred") {
    const append = job.find(message.task);
    append?.batch?.erred(placeIn(append, message.task), message);
  } else if (message.type === "cancelled")
    for (const task of message.tasks) {
      const append = job.find(task);
      append?.batch?.cancelled(placeIn(append, task), message.because);
    }
}

function placeIn({ from, places }: Append, task: number): number {
  return places === undefined ? task - from : places[task - from]!;
}
