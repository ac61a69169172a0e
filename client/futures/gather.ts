/** The results of many futures: those that came in messages are decoded at the end, values are fetched as their tasks finish. */
import { FETCHES_AT_ONCE } from "../values/value-fetcher.ts";
import { assertHeld, batchOf, placeOf, type Future } from "./future.ts";
import { allFinished } from "./gathering.ts";

/** Results in the order of the futures. @throws {Error} As soon as one has failed, was cancelled or cannot be fetched: why. */
export async function gather(futures: readonly Future[]): Promise<unknown[]> {
  for (const future of futures) assertHeld(future);
  const values = futures.every(isHere) ? new Map<number, unknown>() : await valuesOf(futures);
  return futures.map((future, index) =>
    values.has(index) ? values.get(index) : batchOf(future).value(placeOf(future)),
  );
}

/** Finished, and its result is no value. */
function isHere(future: Future): boolean {
  const [batch, place] = [batchOf(future), placeOf(future)];
  return batch.isFinished(place) && batch.valueBytes(place) === 0;
}

/** By index in the list. Resolves when all have finished. */
async function valuesOf(futures: readonly Future[]): Promise<ReadonlyMap<number, unknown>> {
  const line = new ValueLine(futures);
  try {
    const finished = allFinished(futures, (index) => {
      if (!isHere(futures[index]!)) line.add(index);
    });
    await Promise.race([finished, line.failed]);
    await Promise.race([line.idle(), line.failed]);
    return line.values;
  } finally {
    line.stop();
  }
}

/** Values that are fetched, a few at once. */
class ValueLine {
  readonly values = new Map<number, unknown>();
  /** Is only ever rejected. */
  readonly failed: Promise<never>;
  readonly #futures: readonly Future[];
  readonly #waiting: number[] = [];
  #fetching = 0;
  #fail!: (error: unknown) => void;
  #onIdle = (): void => undefined;

  constructor(futures: readonly Future[]) {
    this.#futures = futures;
    this.failed = new Promise((_, fail) => (this.#fail = fail));
    this.failed.catch(() => undefined);
  }

  add(index: number): void {
    this.#waiting.push(index);
    this.#pump();
  }

  /** Resolves when all that was added is here. */
  async idle(): Promise<void> {
    if (this.#fetching > 0) await new Promise<void>((done) => (this.#onIdle = done));
  }

  /** Nothing more is begun; what is under way goes on, for whoever else wants it. */
  stop(): void {
    this.#waiting.length = 0;
  }

  #pump(): void {
    while (this.#fetching < FETCHES_AT_ONCE && this.#waiting.length > 0) {
      this.#fetching++;
      void this.#fetch(this.#waiting.shift()!);
    }
    if (this.#fetching === 0) this.#onIdle();
  }

  async #fetch(index: number): Promise<void> {
    const future = this.#futures[index]!;
    try {
      this.values.set(index, await batchOf(future).fetched(placeOf(future)));
    } catch (error) {
      this.#fail(error);
    }
    this.#fetching--;
    this.#pump();
  }
}
