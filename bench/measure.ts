/**
 * Times of functions that are compared with one another. The machine's speed drifts and others use it, so all functions run
 * in turn, for several rounds, and a ratio is taken within a round. The one file with tinybench.
 */
import { Bench } from "tinybench";

export interface Measured {
  /** Fastest call of each round, in ms. */
  readonly bestMs: readonly number[];
  /** Median call of each round, in ms. */
  readonly medianMs: readonly number[];
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Time for one function in one round. */
  readonly roundMs: number;
  /** Calls before anything counts: V8's first tier is some 2.4 times slower. */
  readonly warmupCalls: number;
}

/** Runs every function of `tasks` in turn; results by name. */
export function measure(tasks: ReadonlyMap<string, () => void>, options: MeasureOptions): Map<string, Measured> {
  const results = new Map(
    [...tasks.keys()].map((name) => [name, { bestMs: [] as number[], medianMs: [] as number[] }]),
  );
  for (let round = 0; round < options.rounds; round++) {
    const bench = new Bench({
      time: options.roundMs,
      iterations: 3,
      warmup: round === 0,
      warmupTime: 0,
      warmupIterations: options.warmupCalls,
    });
    for (const [name, task] of tasks) bench.add(name, task);
    for (const { name, result } of bench.runSync()) {
      if (!("latency" in result)) throw new Error(`Cannot measure ${name}: ${result.state}`);
      results.get(name)!.bestMs.push(result.latency.min);
      results.get(name)!.medianMs.push(result.latency.p50);
    }
  }
  return results;
}

export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[ascending.length >> 1]!;
}
