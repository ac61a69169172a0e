/** A frame while a thread has it: reads how its tasks end, stores their parts, and tells each once. */
import type { PartStore } from "../../data/part-store.ts";
import type { Board, BoardEnd } from "./board.ts";
import type { HandOutId, TaskDone, TaskFailed } from "../core/events.ts";
import { storeFailureOf } from "../failure.ts";
import type { Failure, Frame, LongEnd, LongResult, PartToStore } from "./frame.ts";

/** One result of a thread. */
export interface LaneDone extends TaskDone {
  /** A result that is too large for a report: its blob (`protocol/large-values.ts`); `result` is empty then. */
  readonly value?: SharedArrayBuffer;
}

/** Tasks that ended. */
export interface Ended {
  readonly done: readonly LaneDone[];
  readonly failed: readonly TaskFailed[];
  /** Computed, their parts on the way to the store; each is told again when that has ended. */
  readonly storing: readonly HandOutId[];
}

export interface FrameSurroundings {
  openStore(url: string): PartStore;
  /** Hears what lies in the port until the end of the task at `place` has come. */
  hear(run: FrameRun, place: number): void;
  onEnded(ended: Ended): void;
}

export class FrameRun {
  readonly number: number;
  readonly frame: Frame;
  readonly board: Board;
  readonly #surroundings: FrameSurroundings;
  /** Tasks whose end was read from the board. */
  #read = 0;
  /** Ends that came over the port, by place. */
  readonly #long = new Map<number, LongEnd>();
  readonly #stores = new Set<Promise<void>>();

  constructor(number: number, frame: Frame, board: Board, surroundings: FrameSurroundings) {
    this.number = number;
    this.frame = frame;
    this.board = board;
    this.#surroundings = surroundings;
    board.clear();
  }

  /** Whether all tasks have ended or are being stored: the thread is done with it. */
  get isOver(): boolean {
    return this.#read === this.frame.tasks.length;
  }

  hasHeard(place: number): boolean {
    return this.#long.has(place);
  }

  onLongEnd(end: LongEnd): void {
    this.#long.set(end.place, end);
  }

  /** Tells what has ended since the last look. */
  look(): void {
    if (this.board.ended === this.#read) return;
    const [done, failed, storing]: [LaneDone[], TaskFailed[], HandOutId[]] = [[], [], []];
    const ends = this.board.read(this.#read);
    this.#read += ends.length;
    for (const end of ends) {
      if (end.result !== undefined) {
        done.push(this.#done(end, end.result));
        continue;
      }
      const long = this.#takeLong(end.place);
      if ("failure" in long.end) failed.push(this.#failed(end.place, long.end.failure));
      else if (long.parts.length === 0) done.push(this.#longDone(end, long.end));
      else {
        storing.push(this.#id(end.place));
        this.#store(end, long, long.end);
      }
    }
    this.#surroundings.onEnded({ done, failed, storing });
  }

  /** Resolves when nothing is being stored any more. */
  async stored(): Promise<void> {
    await Promise.all(this.#stores);
  }

  /** It was sent before the board told of it, so it lies in the port unless it was heard already. */
  #takeLong(place: number): LongEnd {
    this.#surroundings.hear(this, place);
    const long = this.#long.get(place)!;
    this.#long.delete(place);
    return long;
  }

  #store(end: BoardEnd, { partsUrl, parts }: LongEnd, result: LongResult): void {
    const around = this.#surroundings;
    const storing = putAll(around, partsUrl!, parts).then(
      () => around.onEnded({ done: [this.#longDone(end, result)], failed: [], storing: [] }),
      (error: unknown) =>
        around.onEnded({ done: [], failed: [this.#failed(end.place, storeFailureOf(error))], storing: [] }),
    );
    this.#stores.add(storing);
    void storing.then(() => this.#stores.delete(storing));
  }

  #id(place: number): HandOutId {
    const { task, epoch, attempt } = this.frame.tasks[place]!;
    return { job: this.frame.job, task, epoch, attempt };
  }

  // Written out: these are made for each task.
  #done({ place, tookUs }: BoardEnd, result: Uint8Array): LaneDone {
    const { task, epoch, attempt } = this.frame.tasks[place]!;
    return { job: this.frame.job, task, epoch, attempt, tookUs, result };
  }

  #longDone(end: BoardEnd, long: LongResult): LaneDone {
    if ("result" in long) return this.#done(end, long.result);
    const held = { id: this.frame.id, bytes: long.value.byteLength };
    return { ...this.#done(end, NO_BYTES), value: long.value, held };
  }

  #failed(place: number, { code, message, stack, blameless, endsJob }: Failure): TaskFailed {
    const { task, epoch, attempt } = this.frame.tasks[place]!;
    return { job: this.frame.job, task, epoch, attempt, code, message, stack, blameless, endsJob };
  }
}

const NO_BYTES = new Uint8Array(0);

async function putAll(around: FrameSurroundings, url: string, parts: readonly PartToStore[]): Promise<void> {
  const store = around.openStore(url);
  for (const { name, bytes, sha256 } of parts) await store.put(name, bytes, sha256);
}
