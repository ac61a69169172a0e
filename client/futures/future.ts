/** A result that will be there. */
import type { FutureBatch, FutureStatus } from "./batch.ts";
import { releasedError } from "./result-errors.ts";

/** Where a future's task is; for the client alone. */
export let batchOf: (future: Future) => FutureBatch;
export let placeOf: (future: Future) => number;
/** @throws {PeError} `PE_RELEASED` for a future that was released. */
export let assertHeld: (future: Future) => void;

/**
 * The result of one task. It is a number in the columns of its batch and costs some tens of bytes; a promise is made when one
 * is asked for. A future among the parameters of another task, at any depth, stands for its result there.
 */
export class Future<Result = unknown> {
  readonly #batch: FutureBatch;
  readonly #place: number;
  #isReleased = false;

  /** Made by `Client.submit` and `Client.map` alone. */
  constructor(batch: FutureBatch, place: number) {
    this.#batch = batch;
    this.#place = place;
  }

  static {
    batchOf = (future) => future.#batch;
    placeOf = (future) => future.#place;
    assertHeld = (future) => {
      if (future.#isReleased) throw releasedError(future.key);
    };
  }

  /** The key that was given, else the name of the task: its job and its number there. */
  get key(): string {
    return this.#batch.key(this.#place);
  }

  /** Changes as the scheduler tells, in later turns of the event loop. */
  get status(): FutureStatus {
    return this.#batch.status(this.#place);
  }

  /**
   * The result, each time the same object; waits for it, through lost connections and restarts of the scheduler. One that
   * workers hold is fetched from them, and is the same object while somebody has it.
   *
   * @throws {PeError} What the task failed with, its stack and story in `cause` and `details`; `PE_NEED_FAILED` when one
   * that it needs failed; `PE_CANCELLED`; `PE_RELEASED`; `PE_CLOSED` when the client is closed before; `PE_VALUE_LOST` and
   * `PE_VALUE_UNREACHABLE` when workers had it.
   */
  async result(): Promise<Result> {
    assertHeld(this);
    return (await this.#batch.result(this.#place)) as Result;
  }

  /** Asks for the task to be cancelled; one that has ended stays as it is. */
  cancel(): void {
    this.#batch.owner.cancel([this]);
  }

  /** Runs a failed or cancelled task again, and those it needs that failed or were cancelled. */
  retry(): void {
    this.#batch.owner.retry([this]);
  }

  /** Its last transitions, oldest first. */
  async story(): Promise<string[]> {
    return await this.#batch.owner.story(this);
  }

  /**
   * The result is not wanted any more: workers forget it when no task that was submitted needs it. A task that has not ended
   * goes on; cancel it if nobody needs it. What came here already is as long as somebody has it.
   */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#batch.release(this.#place);
  }

  /** As `release`: `using future = client.submit(...)`. */
  [Symbol.dispose](): void {
    this.release();
  }
}
