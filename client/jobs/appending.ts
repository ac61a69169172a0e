/** Sends the tasks of a job, no more at once than the scheduler confirms. */
import { UNCONFIRMED_APPENDS_MAX, UNCONFIRMED_BYTES_MAX } from "../limits.ts";
import type { SchedulerLink } from "../session/link.ts";
import type { TaskBatch } from "./task-batches.ts";

/**
 * Appends batches to a job and resolves when all are durable.
 *
 * @throws {PeError} What the scheduler refuses a batch with. @throws {LinkLost} Go on from what it has then.
 */
export async function appendBatches(link: SchedulerLink, job: number, batches: Iterable<TaskBatch>): Promise<void> {
  const unconfirmed = new Unconfirmed();
  for (const { request, bytes } of batches) {
    while (unconfirmed.isFull) await unconfirmed.confirmFirst();
    unconfirmed.add(bytes, link.ask({ ...request, job }));
    // What was sent goes out, and others have their turn, before the next batch is made.
    await new Promise(setImmediate);
  }
  while (!unconfirmed.isEmpty) await unconfirmed.confirmFirst();
}

/** What was sent and is not confirmed yet, in order. */
class Unconfirmed {
  readonly #waiting: { readonly bytes: number; readonly confirmed: Promise<unknown> }[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get isFull(): boolean {
    return this.#waiting.length >= UNCONFIRMED_APPENDS_MAX || this.#bytes > UNCONFIRMED_BYTES_MAX;
  }

  add(bytes: number, confirmed: Promise<unknown>): void {
    // Awaited in its turn; until then a refusal is no unhandled one.
    confirmed.catch(() => undefined);
    this.#waiting.push({ bytes, confirmed });
    this.#bytes += bytes;
  }

  async confirmFirst(): Promise<void> {
    const { bytes, confirmed } = this.#waiting.shift()!;
    await confirmed;
    this.#bytes -= bytes;
  }
}
