/** Waiting for many futures as they end: one watcher a batch, no promise a future. */
import type { FutureBatch } from "./batch.ts";
import { batchOf, placeOf, type Future } from "./future.ts";

const NONE = -1;

/** Futures of one batch that are waited for. */
interface Waiting {
  /** For each place the last index of the list that names it. */
  readonly last: Int32Array;
  left: number;
}

/**
 * Calls back once for each index of the list, when its future has ended; the list may name one twice. Columns, because a
 * list of a million is nothing special.
 *
 * @returns Stops it.
 */
function onEnds(futures: readonly Future[], callback: (index: number) => void): () => void {
  const waiting = new Map<FutureBatch, Waiting>();
  /** Index that names the same future before; most have none. */
  const before = new Int32Array(futures.length).fill(NONE);
  const ended: number[] = [];
  for (let index = 0; index < futures.length; index++) {
    const [batch, place] = [batchOf(futures[index]!), placeOf(futures[index]!)];
    if (!batch.isPending(place)) {
      ended.push(index);
      continue;
    }
    let wait = waiting.get(batch);
    if (wait === undefined) waiting.set(batch, (wait = { last: new Int32Array(batch.count).fill(NONE), left: 0 }));
    before[index] = wait.last[place]!;
    wait.last[place] = index;
    wait.left++;
  }
  const watchers = [...waiting].map(([batch, wait]) => {
    const watcher = (place: number): void => {
      for (let index = wait.last[place] ?? NONE; index !== NONE; index = before[index]!) {
        wait.left--;
        callback(index);
      }
      wait.last[place] = NONE;
      if (wait.left === 0) batch.unwatch(watcher);
    };
    batch.watch(watcher);
    return { batch, watcher };
  });
  for (const index of ended) callback(index);
  return () => {
    for (const { batch, watcher } of watchers) batch.unwatch(watcher);
  };
}

/** Resolves when all have finished. @throws {Error} As soon as one has failed or was cancelled: why. */
export async function allFinished(
  futures: readonly Future[],
  onFinished: (index: number) => void = () => undefined,
): Promise<void> {
  let stop = (): void => undefined;
  try {
    await new Promise<void>((done, fail) => {
      let left = futures.length;
      stop = onEnds(futures, (index) => {
        const [batch, place] = [batchOf(futures[index]!), placeOf(futures[index]!)];
        if (!batch.isFinished(place)) return fail(batch.error(place));
        onFinished(index);
        if (--left === 0) done();
      });
    });
  } finally {
    stop();
  }
}

/** Futures as they end, whichever way. */
export async function* asCompleted<One extends Future>(futures: readonly One[]): AsyncGenerator<One> {
  let ready: One[] = [];
  let wake = (): void => undefined;
  const stop = onEnds(futures, (index) => {
    ready.push(futures[index]!);
    wake();
  });
  try {
    for (let told = 0; told < futures.length;) {
      if (ready.length === 0) await new Promise<void>((done) => (wake = done));
      const batch = ready;
      ready = [];
      told += batch.length;
      yield* batch;
    }
  } finally {
    stop();
  }
}
