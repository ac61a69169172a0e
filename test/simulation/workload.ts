/**
 * What the clients submit: jobs that the seed decides, so that whoever submits a job of one id submits the same tasks. Every
 * task is a pure function of what it is given; the world knows what must come out.
 */
import { Random } from "../../common/random.ts";
import type { Options } from "./options.ts";

/** How a task behaves, wherever it runs. */
export const BEHAVIOURS_ABOUT = {
  good: "Gives its result.",
  flaky: "Fails once or twice, then gives its result.",
  failing: "Fails each time.",
  poisonThread: "Ends each thread that runs it.",
  poisonWorker: "Ends each worker process that runs it.",
  endless: "Never ends by itself.",
  huge: "Gives a result above the limit.",
  straggling: "Takes ten times as long as others, or about as long as it may.",
  unreachable: "Its input is where no worker can reach it: an error that ends its job.",
} as const;
export type Behaviour = keyof typeof BEHAVIOURS_ABOUT;

export interface BatchPlan {
  readonly start: number;
  readonly stop: number;
  readonly options: {
    readonly priority: number;
    readonly retries: number;
    readonly timeoutMs: number;
    readonly volatile: boolean;
    readonly resources: readonly { readonly name: string; readonly amount: number }[];
    readonly workers: readonly string[];
  };
  readonly parameters: readonly Uint8Array[] | undefined;
  readonly keys: readonly string[] | undefined;
  /** For each task the place of a job among the plans and a task of it. */
  readonly needs: readonly (readonly { readonly job: number; readonly task: number }[])[] | undefined;
  readonly groups: readonly number[] | undefined;
}

export interface JobPlan {
  readonly place: number;
  readonly id: string;
  readonly kind: string;
  readonly common: Uint8Array;
  readonly maxFails: number;
  readonly transient: boolean;
  readonly batches: readonly BatchPlan[];
  readonly tasks: number;
  readonly behaviours: readonly Behaviour[];
  /** Bytes of the value that a task gives; 0 where its result is small. */
  readonly valueBytes: readonly number[];
  /** Its tasks have no time limit: the endless ones end when a client cancels them. */
  readonly isUnlimited: boolean;
  /** Places of other jobs that it needs results of. */
  readonly neededJobs: ReadonlySet<number>;
}

export const VERSION = "1";
export const TIMEOUT_MS = 8000;

export function planJobs(options: Options, workerNames: readonly string[]): JobPlan[] {
  const random = new Random(options.seed, 2);
  const plans: JobPlan[] = [];
  for (let place = 0; place < options.jobs; place++) plans.push(planJob(options, random, place, plans, workerNames));
  return plans;
}

function planJob(
  options: Options,
  random: Random,
  place: number,
  earlier: readonly JobPlan[],
  workerNames: readonly string[],
): JobPlan {
  const often = (chance: number): boolean => random.uniform() < chance;
  const batches: BatchPlan[] = [];
  const behaviours: Behaviour[] = [];
  const isUnlimited = options.endless > 0 && often(0.3);
  const total = 1 + random.integer(options.tasksMax);
  for (let start = 0; start < total;) {
    const stop = Math.min(total, start + 1 + random.integer(often(0.5) ? total : 5));
    batches.push(planBatch(options, random, place, earlier, workerNames, start, stop, isUnlimited));
    start = stop;
  }
  for (let task = 0; task < total; task++) behaviours.push(drawBehaviour(options, random));
  return {
    place,
    id: `job-${place}`,
    kind: often(0.8) ? "alpha" : "beta",
    common: bytesOf(random, random.integer(6)),
    maxFails: often(0.2) && !options.isCalm ? random.integer(4) : 1_000_000,
    transient: often(0.15),
    batches,
    tasks: total,
    behaviours,
    valueBytes: drawValueBytes(options, place, total),
    isUnlimited,
    neededJobs: new Set(
      batches.flatMap(({ needs }) => needs?.flat().map(({ job }) => job) ?? []).filter((job) => job !== place),
    ),
  };
}

/** By a chance of their own, so that the rest of the job is what it would be without. */
function drawValueBytes({ seed, values }: Options, place: number, tasks: number): number[] {
  const random = new Random(seed, 6, place);
  return Array.from({ length: tasks }, () => (random.uniform() < values ? 70_000 + random.integer(200_000) : 0));
}

function drawBehaviour(options: Options, random: Random): Behaviour {
  let draw = random.uniform();
  for (const name of [
    "flaky",
    "failing",
    "poisonThread",
    "poisonWorker",
    "endless",
    "huge",
    "straggling",
    "unreachable",
  ] as const) {
    draw -= options[name];
    if (draw < 0) return name;
  }
  return "good";
}

function planBatch(
  options: Options,
  random: Random,
  place: number,
  earlier: readonly JobPlan[],
  workerNames: readonly string[],
  start: number,
  stop: number,
  isUnlimited: boolean,
): BatchPlan {
  const often = (chance: number): boolean => random.uniform() < chance;
  const count = stop - start;
  const indices = Array.from({ length: count }, (_, index) => start + index);
  const isGraph = options.graphs && often(0.5) && (start > 0 || earlier.length > 0);
  return {
    start,
    stop,
    options: {
      priority: often(0.3) ? random.integer(5) - 2 : 0,
      retries: often(0.5) ? 2 : 3,
      timeoutMs: isUnlimited ? 0 : TIMEOUT_MS,
      volatile: options.volatile && often(0.5),
      resources: options.resources && often(0.4) ? [{ name: "gpu", amount: 1 + random.integer(2) }] : [],
      workers: options.pinning && often(0.4) ? [workerNames[random.integer(workerNames.length)]!] : [],
    },
    parameters: often(0.5) ? indices.map(() => bytesOf(random, random.integer(9))) : undefined,
    keys: options.keys && often(0.5) ? indices.map((index) => `key-${place}-${index}`) : undefined,
    needs: isGraph ? indices.map((index) => drawNeeds(random, place, index, earlier)) : undefined,
    groups: often(0.2) ? indices.filter((index) => index === start || index % 3 === 0) : undefined,
  };
}

function drawNeeds(
  random: Random,
  place: number,
  index: number,
  earlier: readonly JobPlan[],
): { job: number; task: number }[] {
  const needs: { job: number; task: number }[] = [];
  for (let left = random.integer(4); left > 0; left--) {
    const other = earlier.length > 0 && random.uniform() < 0.3 ? earlier[random.integer(earlier.length)]! : undefined;
    if (other !== undefined) needs.push({ job: other.place, task: random.integer(other.tasks) });
    else if (index > 0) needs.push({ job: place, task: random.integer(index) });
  }
  return needs;
}

function bytesOf(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(256));
}

/** What a task computes from what it is given: a few bytes that change with any of it. */
export function compute(
  common: Uint8Array,
  task: number,
  parameters: Uint8Array,
  inputs: readonly Uint8Array[],
): Uint8Array {
  let hash = mix(0x811c9dc5 ^ task);
  hash = mixBytes(hash, common);
  hash = mixBytes(hash, parameters);
  for (const input of inputs) hash = mixBytes(hash, input);
  // Some results are empty.
  const length = hash % 7 === 0 ? 0 : 4 + ((hash >>> 8) % 9);
  const result = new Uint8Array(length);
  for (let place = 0; place < length; place++) result[place] = (hash >>> ((place % 4) * 8)) + place;
  return result;
}

function mixBytes(hash: number, bytes: Uint8Array): number {
  let mixed = hash ^ bytes.byteLength;
  for (const byte of bytes) mixed = Math.imul(mixed ^ byte, 0x01000193);
  return mix(mixed);
}

function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Results that must come out, computed when first asked for. */
export class Expected {
  readonly #plans: readonly JobPlan[];
  readonly #known = new Map<number, Uint8Array>();

  constructor(plans: readonly JobPlan[]) {
    this.#plans = plans;
  }

  result(place: number, task: number): Uint8Array {
    const key = place * 2 ** 24 + task;
    let result = this.#known.get(key);
    if (result === undefined) {
      const plan = this.#plans[place]!;
      const batch = batchAt(plan, task);
      const needs = batch.needs?.[task - batch.start] ?? [];
      const inputs = needs.map((need) => this.result(need.job, need.task));
      result = compute(plan.common, task, batch.parameters?.[task - batch.start] ?? NONE, inputs);
      this.#known.set(key, result);
    }
    return result;
  }
}

const NONE = new Uint8Array(0);

export function batchAt(plan: JobPlan, task: number): BatchPlan {
  return plan.batches.find(({ stop }) => task < stop)!;
}
