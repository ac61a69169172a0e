/** Waiting for many futures at once: one watcher a batch, no promise a future. */
import type { FutureBatch } from "./batch.ts";
import { batchOf, placeOf, type Future } from "./future.ts";

/** Calls back once for each future, when it has ended; the list may name one twice. @returns Stops it. */
function onEnds(futures: readonly Future[], callback: (indices: readonly number[]) => void): () => void {
  const waiting = new Map<FutureBatch, Map<number, number[]>>();
  const ended: number[] = [];
  for (const [index, future] of futures.entries()) {
    const [batch, place] = [batchOf(future), placeOf(future)];
    if (!batch.isPending(place)) {
      ended.push(index);
      continue;
    }
    let places = waiting.get(batch);
    if (places === undefined) waiting.set(batch, (places = new Map()));
    const indices = places.get(place);
    if (indices === undefined) places.set(place, [index]);
    else indices.push(index);
  }
  const watchers = [...waiting].map(([batch, places]) => {
    const watcher = (place: number): void => {
      const indices = places.get(place);
      if (indices === undefined) return;
      places.delete(place);
      if (places.size === 0) batch.unwatch(watcher);
      callback(indices);
    };
    batch.watch(watcher);
    return { batch, watcher };
  });
  if (ended.length > 0) callback(ended);
  return () => {
    for (const { batch, watcher } of watchers) batch.unwatch(watcher);
  };
}

/** Results in the order of the futures. @throws {Error} As soon as one has failed or was cancelled: why. */
export async function gather(futures: readonly Future[]): Promise<unknown[]> {
  const isUnfinished = (future: Future): boolean => !batchOf(future).isFinished(placeOf(future));
  if (futures.some(isUnfinished)) await allFinished(futures);
  return futures.map((future) => batchOf(future).value(placeOf(future)));
}

async function allFinished(futures: readonly Future[]): Promise<void> {
  let stop = (): void => undefined;
  try {
    await new Promise<void>((done, fail) => {
      let left = futures.length;
      stop = onEnds(futures, (indices) => {
        left -= indices.length;
        for (const index of indices) {
          const [batch, place] = [batchOf(futures[index]!), placeOf(futures[index]!)];
          if (!batch.isFinished(place)) return fail(batch.error(place));
        }
        if (left === 0) done();
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
  const stop = onEnds(futures, (indices) => {
    for (const index of indices) ready.push(futures[index]!);
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
