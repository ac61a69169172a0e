/**
 * What a seed decides: sizes, rates of faults, and what the clients ask for. Half of the rates are zero, or faults would hide
 * each other. A calm world has none at all: in it every task begins exactly once.
 */
import { Random } from "../../common/random.ts";

/** Faults, each drawn with its mean number in ten seconds of virtual time. */
export const FAULTS_ABOUT = {
  connectionBreak:
    "The network resets a worker's connection: at any time, between inputs and the hand-out that needs them, or between a registration and what it holds; the scheduler hears of it or not.",
  halfOpen: "A worker's connection is silent for ever, neither side hears that it ended.",
  partition: "The network brings nothing over, one way or both, then all of it.",
  workerKill: "kill -9 of a worker; its supervisor starts another process of the name.",
  workerFreeze: "SIGSTOP of a worker, up to 12 s, then SIGCONT.",
  threadDeath: "A pool thread that runs something dies by itself.",
  workerDrain: "A worker leaves: SIGTERM. Of some the time is up soon, and they give back also what runs.",
  workerPause: "A worker's memory is short for a while.",
  workerForgets: "A worker loses a hand-out that waits, as a bug would.",
  schedulerCrash:
    "kill -9 of the scheduler: at any time, or when several records are on their way to the disk; some of these survive.",
  schedulerFreeze: "SIGSTOP of the scheduler, up to 12 s, then SIGCONT.",
  journalLoss:
    "The scheduler dies and somebody deletes its journal; workers and clients still know jobs of the old one.",
  clientLeave: "A client goes without a word and comes back.",
} as const;
export type Fault = keyof typeof FAULTS_ABOUT;
export const FAULTS = Object.keys(FAULTS_ABOUT) as readonly Fault[];

export interface Options {
  readonly seed: number;
  readonly isCalm: boolean;
  readonly workers: number;
  readonly slotsMax: number;
  /** Some workers come late. */
  readonly lateMs: number;
  readonly clients: number;
  readonly jobs: number;
  readonly tasksMax: number;
  readonly taskMs: number;
  readonly delayMs: number;
  readonly delaySpreadMs: number;
  readonly fsyncMs: number;
  /** How soon a worker tries to connect again. */
  readonly reconnectMs: number;
  /** Time during which there are faults. */
  readonly faultyMs: number;
  readonly rates: Readonly<Record<Fault, number>>;
  /** Frames pass through the codec, records through their check. */
  readonly hasCodec: boolean;
  /** Records between snapshots; 0 is none. */
  readonly snapshotEvery: number;
  /** Messages of a frame may come one by one. */
  readonly splitsFrames: boolean;
  /** Results that a thread gathers before it reports. */
  readonly reportTasks: number;
  /** Shares of tasks that do not simply end well. */
  readonly flaky: number;
  readonly failing: number;
  readonly poisonThread: number;
  readonly poisonWorker: number;
  readonly endless: number;
  readonly huge: number;
  readonly straggling: number;
  /** Tasks whose input no worker can reach: they end their job. */
  readonly unreachable: number;
  /** Chance that an execution fails for its surroundings. */
  readonly blameless: number;
  /** Requests other than a plain submission, mean number in ten seconds. */
  readonly meddling: number;
  readonly graphs: boolean;
  readonly keys: boolean;
  readonly volatile: boolean;
  readonly resources: boolean;
  readonly pinning: boolean;
  /** Share of tasks whose result is a value that stays on its worker. */
  readonly values: number;
  /** Bytes of values that a worker keeps in memory. */
  readonly valueRoom: number;
  /** Chance that a value does not come over from a worker that has it. */
  readonly transferFails: number;
  /** Chance that the scratch disk of a worker fails. */
  readonly scratchFails: number;
}

export function drawOptions(seed: number, isCalm = false): Options {
  const random = new Random(seed, 1);
  const often = (chance: number): boolean => random.uniform() < chance;
  /** Zero in half of the worlds. */
  const share = (most: number): number => {
    const value = random.uniform() * most;
    return often(0.5) && !isCalm ? value : 0;
  };
  const between = (least: number, most: number): number => least + random.integer(most - least + 1);
  const most: Record<Fault, number> = {
    connectionBreak: 6,
    halfOpen: 3,
    partition: 3,
    workerKill: 5,
    workerFreeze: 4,
    threadDeath: 6,
    workerDrain: 3,
    workerPause: 4,
    workerForgets: 2,
    schedulerCrash: 4,
    schedulerFreeze: 3,
    journalLoss: often(0.2) ? 4 : 0,
    clientLeave: 4,
  };
  const rates = Object.fromEntries(FAULTS.map((fault) => [fault, share(most[fault])])) as Record<Fault, number>;
  const isLarge = often(0.15);
  return {
    seed,
    isCalm,
    workers: between(1, 5),
    slotsMax: between(1, 4),
    lateMs: share(10_000),
    clients: between(1, 3),
    jobs: between(1, 5),
    tasksMax: isLarge ? between(50, 400) : between(1, 40),
    taskMs: [0.05, 1, 20, 300, 1500][random.integer(5)]!,
    delayMs: [0.05, 1, 30][random.integer(3)]!,
    delaySpreadMs: often(0.5) ? [1, 20, 200][random.integer(3)]! : 0,
    reconnectMs: [20, 150, 1500][random.integer(3)]!,
    fsyncMs: [0.1, 2, 15, 120][random.integer(4)]!,
    faultyMs: between(4, 25) * 1000,
    rates,
    hasCodec: seed % 10 === 3,
    snapshotEvery: often(0.5) ? between(3, 60) : 0,
    splitsFrames: often(0.2),
    reportTasks: often(0.5) ? 1 : between(2, 12),
    flaky: share(0.3),
    failing: share(0.1),
    poisonThread: share(0.06),
    poisonWorker: share(0.05),
    endless: share(0.06),
    huge: often(0.05) ? share(0.05) : 0,
    straggling: share(0.1),
    blameless: share(0.1),
    meddling: isCalm ? 0 : share(12),
    graphs: often(0.5),
    keys: often(0.3),
    volatile: often(0.2),
    resources: often(0.3),
    pinning: often(0.2),
    // Whatever comes later is drawn later, so that a seed keeps the rest of its world.
    unreachable: often(0.15) ? share(0.04) : 0,
    values: often(0.4) ? 0.05 + 0.6 * random.uniform() : 0,
    valueRoom: [1e5, 1e6, 1e9][random.integer(3)]!,
    transferFails: share(0.3),
    scratchFails: share(0.2),
  };
}
