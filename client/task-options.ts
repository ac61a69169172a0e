/** How tasks are to be run, as users say it and as the wire has it. */
import * as v from "valibot";
import type { ClientToScheduler } from "../protocol/client-link.ts";
import { parse } from "../tasks/parse.ts";

export interface TaskOptions {
  /** Same key, same result: a task whose key is known is joined, not run again; other parameters are an error. */
  readonly key?: string;
  /** Higher goes first; 0 by default, -1,000,000 to 1,000,000. */
  readonly priority?: number;
  /** Times that the task may fail by itself before it is erred; 0 by default, up to 1000. */
  readonly retries?: number;
  /** Milliseconds after which a running attempt fails; no limit by default. */
  readonly timeoutMs?: number;
  /** What a worker must have free, such as `{ gpu: 1 }`; whole numbers. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Names of workers that may run it; any by default. */
  readonly workers?: readonly string[];
  /** The result is not journaled: faster, and computed again after a restart of the scheduler. */
  readonly volatile?: boolean;
  /** Aborts cancel what is not finished. */
  readonly signal?: AbortSignal;
  /** What the kind's tasks share (`TaskContext.common`): sent once, not with each task. */
  readonly common?: unknown;
  /** Of the kind, where this client does not have the kind's file. */
  readonly version?: string;
}

/** What one append says of all its tasks. */
export type WireOptions = Extract<ClientToScheduler, { type: "append" }>["options"];

const schema = v.strictObject({
  priority: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-1_000_000), v.maxValue(1_000_000)), 0),
  retries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1000)), 0),
  timeoutMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(0xffff_ffff)), 0),
  resources: v.optional(
    v.record(
      v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
      v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000)),
    ),
    {},
  ),
  workers: v.optional(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(128))), []),
  volatile: v.optional(v.boolean(), false),
});

const DEFAULTS: WireOptions = {
  priority: 0,
  retries: 0,
  timeoutMs: 0,
  volatile: false,
  resources: [],
  workers: [],
};

/** @throws {PeError} `PE_PARAMETER` naming the option. */
export function wireOptions(options: TaskOptions | undefined): WireOptions {
  if (options === undefined) return DEFAULTS;
  const { key: _, signal: __, common: ___, version: ____, ...said } = options;
  const { resources, timeoutMs, workers, ...rest } = parse(schema, said, "options of a task");
  return {
    ...rest,
    // A limit below one millisecond is not the same as none.
    timeoutMs: Math.ceil(timeoutMs),
    resources: Object.entries(resources)
      .map(([name, amount]) => ({ name, amount }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    workers: [...workers],
  };
}
