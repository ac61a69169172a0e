/**
 * One simulated cluster: the real cores of scheduler and workers on virtual machines, with clients, a network, a disk and a
 * clock, all decided by one seed. Faults come until they stop; then everything must end well.
 */
import { Random } from "../../common/random.ts";
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from "../../protocol/client-link.ts";
import { decodeFrame, encodeFrame } from "../../protocol/codec.ts";
import { journalRecords, type JournalRecord } from "../../protocol/journal-records.ts";
import {
  schedulerToWorker,
  workerToScheduler,
  type SchedulerToWorker,
  type WorkerToScheduler,
} from "../../protocol/worker-link.ts";
import { valueKey } from "../../protocol/held-values.ts";
import { createSchedulerCore } from "../../scheduler/core/core.ts";
import { DEATHS_MAX } from "../../scheduler/core/limits.ts";
import type { WorkerRecord } from "../../scheduler/core/worker-record.ts";
import { createWorkerCore } from "../../worker/core/core.ts";
import { ClientHost } from "./client-host.ts";
import { Clock } from "./clock.ts";
import type { Coverage } from "./coverage.ts";
import { must } from "./ledger.ts";
import { Connection } from "./network.ts";
import { FAULTS, type Fault, type Options } from "./options.ts";
import { SchedulerHost } from "./scheduler-host.ts";
import { WorkerHost } from "./worker-host.ts";
import { TIMEOUT_MS, batchAt, Expected, planJobs, type Behaviour, type JobPlan } from "./workload.ts";

/** The code under test; a mutant brings its own. */
export interface Cores {
  readonly createSchedulerCore: typeof createSchedulerCore;
  readonly createWorkerCore: typeof createWorkerCore;
}

export const CORES: Cores = { createSchedulerCore, createWorkerCore };

/** How messages travel: as they are, or through frames of bytes. */
interface Codec {
  toScheduler(messages: readonly WorkerToScheduler[]): readonly WorkerToScheduler[];
  toWorker(messages: readonly SchedulerToWorker[]): readonly SchedulerToWorker[];
  toSchedulerOfClient(messages: readonly ClientToScheduler[]): readonly ClientToScheduler[];
  toClient(messages: readonly SchedulerToClient[]): readonly SchedulerToClient[];
  record(record: JournalRecord): JournalRecord;
}

const AS_THEY_ARE: Codec = {
  toScheduler: (messages) => messages,
  toWorker: (messages) => messages,
  toSchedulerOfClient: (messages) => messages,
  toClient: (messages) => messages,
  record: (record) => record,
};

const IN_FRAMES: Codec = {
  toScheduler: (messages) => decodeFrame(workerToScheduler, encodeFrame(workerToScheduler, messages)),
  toWorker: (messages) => decodeFrame(schedulerToWorker, encodeFrame(schedulerToWorker, messages)),
  toSchedulerOfClient: (messages) => decodeFrame(clientToScheduler, encodeFrame(clientToScheduler, messages)),
  toClient: (messages) => decodeFrame(schedulerToClient, encodeFrame(schedulerToClient, messages)),
  record: (record) => decodeFrame(journalRecords, encodeFrame(journalRecords, [record]))[0]!,
};

export interface Begun {
  readonly behaviour: Behaviour;
  readonly tookMs: number;
  readonly fails: boolean;
  readonly isBlameless: boolean;
}

export type Trace = (who: string, what: object) => void;

/** Enough for whatever the faults left to run out: leases, grace, rests, timeouts. */
const SETTLING_MS = 240_000;
/** After the faults, endless tasks of jobs without a time limit are cancelled. */
const CANCEL_AFTER_MS = 15_000;

/** Far more than any world needs: where time stands still, or runs in circles, that is told. */
const ACTIONS_MAX = 2_000_000;

export class World {
  readonly options: Options;
  readonly cores: Cores;
  readonly clock = new Clock();
  readonly random: Random;
  readonly codec: Codec;
  readonly plans: readonly JobPlan[];
  readonly expected: Expected;
  readonly scheduler: SchedulerHost;
  readonly workers: readonly WorkerHost[];
  readonly clients: readonly ClientHost[];
  /** Events that entered a core. */
  events = 0;
  readonly coverage: Coverage | undefined;
  readonly trace: Trace | undefined;
  /** Plans with cancelled tasks. */
  readonly meddled = new Set<number>();
  /** Plans that a client let go. */
  readonly released = new Set<number>();
  readonly #begins = new Map<string, number[]>();
  readonly #hits = new Map<string, number>();
  #link = 0;
  #actions = 0;
  #isQuiet = false;

  constructor(options: Options, cores: Cores = CORES, observers: { coverage?: Coverage; trace?: Trace } = {}) {
    this.options = options;
    this.cores = cores;
    this.coverage = observers.coverage;
    const { trace } = observers;
    this.trace = trace && ((who, what) => trace(`${this.clock.nowMs.toFixed(2)} ${who}`, what));
    this.random = new Random(options.seed, 5);
    this.codec = options.hasCodec ? IN_FRAMES : AS_THEY_ARE;
    const names = Array.from({ length: options.workers }, (_, place) => `worker-${place}`);
    this.plans = planJobs(options, names);
    this.expected = new Expected(this.plans);
    this.scheduler = new SchedulerHost(this);
    // One worker can run whatever anybody asks for.
    this.workers = names.map(
      (_, place) =>
        new WorkerHost(
          this,
          place,
          1 + this.random.integer(options.slotsMax),
          place === 0 || options.pinning ? 2 : this.random.integer(3),
        ),
    );
    this.clients = Array.from(
      { length: options.clients },
      (_, place) => new ClientHost(this, place, this.#plansOf(place)),
    );
  }

  /** Each plan has a client, some have two; with a plan come those that it needs. */
  #plansOf(client: number): JobPlan[] {
    const { clients } = this.options;
    const chosen = new Set<JobPlan>();
    const add = (plan: JobPlan): void => {
      if (chosen.has(plan)) return;
      chosen.add(plan);
      for (const place of plan.neededJobs) add(this.plans[place]!);
    };
    for (const plan of this.plans) if (plan.place % clients === client || (plan.place + client) % 5 === 4) add(plan);
    return [...chosen].toSorted((a, b) => a.place - b.place);
  }

  readonly delayMs = (): number => {
    const { delayMs, delaySpreadMs } = this.options;
    return delayMs + this.random.uniform() * delaySpreadMs;
  };

  connect<Up, Down>(): Connection<Up, Down> {
    return new Connection(++this.#link, this.clock, this.delayMs, this.options.splitsFrames);
  }

  /** Whether tasks of a plan may be cancelled by others than the scheduler. */
  mayBeCancelled({ place, transient }: JobPlan): boolean {
    return transient || this.meddled.has(place) || this.released.has(place);
  }

  /** Whether another plan needs results of this one. */
  isNeeded(plan: JobPlan): boolean {
    return this.plans.some(({ neededJobs }) => neededJobs.has(plan.place));
  }

  /** A thread begins a task. */
  begin(id: string, task: number): Begun {
    const plan = this.#planOf(id);
    const begins = this.#beginsOf(id);
    const count = (begins[task] = (begins[task] ?? 0) + 1);
    const { taskMs, blameless } = this.options;
    const behaviour = plan.behaviours[task]!;
    const plainMs = taskMs * (0.3 + 1.4 * this.random.uniform());
    const tookMs = behaviour === "straggling" ? this.#straggleMs(plainMs) : plainMs;
    const fails =
      behaviour === "failing" || behaviour === "unreachable" || (behaviour === "flaky" && count <= 1 + (task % 2));
    return { behaviour, tookMs, fails, isBlameless: !this.#isQuiet && this.random.uniform() < blameless };
  }

  /** Ten times as long, or about as long as it may. */
  #straggleMs(plainMs: number): number {
    return this.random.uniform() < 0.5 ? Math.min(10 * plainMs, 3000) : TIMEOUT_MS + this.random.uniform() * 700;
  }

  #beginsOf(id: string): number[] {
    let begins = this.#begins.get(id);
    if (begins === undefined) this.#begins.set(id, (begins = []));
    return begins;
  }

  /** Of the value that a task gives; 0 where its result is small. */
  valueBytes(id: string, task: number): number {
    return this.#planOf(id).valueBytes[task]!;
  }

  workerNamed(name: string): WorkerHost {
    return this.workers.find((worker) => worker.name === name)!;
  }

  #planOf(id: string): JobPlan {
    return this.plans[Number(id.slice("job-".length))]!;
  }

  /** Something died, or seemed to, while a worker held a task. */
  hit(id: string, task: number): void {
    const key = `${id}/${task}`;
    this.#hits.set(key, (this.#hits.get(key) ?? 0) + 1);
  }

  readonly #ends = new Map<number, (hit: () => void) => void>();

  /** A worker's process has a connection; `onEnd` is told of what is at stake with its life. */
  connected(link: number, onEnd: (hit: () => void) => void): void {
    this.#ends.set(link, onEnd);
  }

  vanished(link: number, worker: WorkerRecord | undefined): void {
    for (const { job, task } of worker?.leases.values() ?? []) this.#ends.get(link)?.(() => this.hit(job.id, task));
  }

  tellHeld(worker: WorkerHost): void {
    for (const { id, task } of worker.held()) this.hit(id, task);
  }

  checkTimeout(id: string, task: number): void {
    const behaviour = this.#planOf(id).behaviours[task]!;
    must(
      behaviour === "endless" || behaviour === "straggling",
      `${id}/${task}, which is ${behaviour}, ran out of time`,
    );
  }

  /** Whether a task may have failed so. */
  erred(plan: JobPlan, task: number, code: string, message: string): void {
    const name = `${plan.id}/${task}`;
    const behaviour = plan.behaviours[task]!;
    const because = `${name}, which is ${behaviour}, failed with ${code}: ${message}`;
    const hits = this.#hits.get(name) ?? 0;
    if (code === "PE_TASK_POISON") must(hits >= DEATHS_MAX, because);
    else if (code === "PE_TASK_FAILED") must(behaviour === "failing" || behaviour === "flaky", because);
    else if (code === "PE_TIMEOUT") must(behaviour === "endless" || behaviour === "straggling", because);
    else if (code === "PE_LIMIT") must(behaviour === "huge", because);
    else if (code === "PE_INPUT_UNREACHABLE") must(behaviour === "unreachable", because);
    else must(code === "PE_NEED_FAILED" && hasNeeds(plan, task), because);
  }

  /** Runs to the end. @throws {Violation} when an invariant does not hold. */
  run(): void {
    this.scheduler.start();
    for (const [place, worker] of this.workers.entries())
      this.clock.after(place === 0 ? 0 : this.random.uniform() * this.options.lateMs, () => worker.start());
    for (const client of this.clients) this.clock.after(this.random.uniform() * 1000, () => client.start());
    if (!this.options.isCalm) for (const fault of FAULTS) this.#plague(fault);
    if (this.options.meddling > 0) this.#meddle();
    this.#runUntil(() => false, this.options.faultyMs);
    this.#quieten();
    this.clock.after(CANCEL_AFTER_MS, () => {
      for (const client of this.clients) client.cancelEndless();
    });
    const workMs = this.#workMs();
    this.#runUntil(() => this.clients.every(({ isContent }) => isContent), SETTLING_MS + workMs);
    this.#checkContent();
    for (const client of this.clients) client.gatherValues();
    this.#runUntil(() => this.clients.every(({ hasValues }) => hasValues), SETTLING_MS + workMs);
    for (const client of this.clients) must(client.hasValues, `a client has not got its values: ${client.wanting}`);
    this.#checkEnd();
  }

  /** An upper bound of what is left to do, on one slot, by tasks that each need the one before. */
  #workMs(): number {
    const { delayMs, delaySpreadMs, fsyncMs } = this.options;
    const tripMs = 2 * (delayMs + delaySpreadMs) + fsyncMs;
    let workMs = 0;
    for (const { behaviours } of this.plans)
      for (const behaviour of behaviours)
        workMs += tripMs + (behaviour === "endless" ? 60_000 : behaviour === "good" ? this.options.taskMs * 2 : 10_000);
    return workMs;
  }

  #runUntil(isDone: () => boolean, withinMs: number): void {
    const stopMs = this.clock.nowMs + withinMs;
    // So that there is a next action at that time.
    this.clock.at(stopMs, () => undefined);
    while (this.clock.nowMs < stopMs && !isDone()) {
      this.clock.next();
      must(++this.#actions <= ACTIONS_MAX, `the world is still at it after ${ACTIONS_MAX} actions`);
    }
  }

  /** One kind of fault, again and again at random. */
  #plague(fault: Fault): void {
    const rate = this.options.rates[fault];
    if (rate === 0) return;
    const meanMs = 10_000 / rate;
    const again = (): void => {
      this.clock.after(-Math.log(1 - this.random.uniform()) * meanMs, () => {
        if (this.#isQuiet) return;
        this.#strike(fault);
        again();
      });
    };
    again();
  }

  #strike(fault: Fault): void {
    const { random, clock } = this;
    const worker = this.workers[random.integer(this.workers.length)]!;
    const client = this.clients[random.integer(this.clients.length)]!;
    const shortOrLongMs = random.uniform() < 0.5 ? random.uniform() * 1500 : random.uniform() * 12_000;
    this.trace?.("world", { fault, worker: worker.name });
    switch (fault) {
      case "connectionBreak":
        return worker.breakConnection();
      case "halfOpen":
        return worker.halfOpen();
      case "partition": {
        const way = random.integer(3);
        worker.partition(way !== 1, way !== 2);
        return clock.after(shortOrLongMs, () => worker.heal());
      }
      case "workerKill":
        return worker.kill(shortOrLongMs);
      case "workerFreeze":
        worker.freeze();
        return clock.after(shortOrLongMs, () => worker.thaw());
      case "threadDeath":
        return worker.killThread();
      case "workerDrain":
        return worker.drain(shortOrLongMs);
      case "workerPause":
        worker.pause(true);
        return clock.after(shortOrLongMs, () => worker.pause(false));
      case "workerForgets":
        return worker.forget();
      case "schedulerCrash":
        return this.#crash(false);
      case "journalLoss":
        return this.#crash(true);
      case "schedulerFreeze":
        this.scheduler.freeze();
        return clock.after(shortOrLongMs, () => this.scheduler.thaw());
      case "clientLeave":
        return client.leave(shortOrLongMs);
    }
  }

  #crash(losesJournal: boolean): void {
    if (!this.scheduler.isUp) return;
    // Half of the crashes come when several records are on their way to the disk, and some of them get there.
    if (!losesJournal && this.random.uniform() < 0.5) return this.scheduler.crashWhenTorn(() => this.#crashNow(false));
    this.#crashNow(losesJournal);
  }

  #crashNow(losesJournal: boolean): void {
    if (!this.scheduler.isUp) return;
    const kept = this.random.uniform() < 0.5 ? 0 : this.random.uniform() * 1.2;
    this.scheduler.crash(Math.min(kept, 1), losesJournal);
    this.clock.after(this.random.uniform() * 4000, () => {
      if (!this.scheduler.isUp) this.scheduler.start();
    });
  }

  #meddle(): void {
    this.clock.after(-Math.log(1 - this.random.uniform()) * (10_000 / this.options.meddling), () => {
      if (this.#isQuiet) return;
      this.clients[this.random.integer(this.clients.length)]!.meddle();
      this.#meddle();
    });
  }

  /** The faults stop: whoever is away comes back. */
  #quieten(): void {
    this.trace?.("world", { fault: "none any more" });
    this.#isQuiet = true;
    this.scheduler.crashWhenTorn(undefined);
    if (!this.scheduler.isUp) this.scheduler.start();
    this.scheduler.thaw();
    for (const worker of this.workers) {
      worker.heal();
      worker.thaw();
      worker.pause(false);
      worker.start();
    }
    for (const client of this.clients) {
      client.comeBack();
      client.watchAnew();
    }
  }

  #checkContent(): void {
    for (const client of this.clients)
      for (const { plan, isWatched, hasEnded, told } of client.submissions) {
        const missing = Array.from({ length: plan.tasks }, (_, task) => task).filter(
          (task) => told[task] === undefined,
        );
        must(
          isWatched && hasEnded && missing.length === 0,
          `${plan.id} has not ended in time: ${JSON.stringify({ isWatched, hasEnded, missing })}`,
        );
        for (let task = 0; task < plan.tasks; task++) this.#checkOutcome(plan, task, told[task]!);
      }
    if (!this.options.isCalm) return;
    for (const plan of this.plans)
      for (let task = 0; task < plan.tasks; task++) {
        const begins = this.#begins.get(plan.id)?.[task] ?? 0;
        must(begins === 1, `${plan.id}/${task} began ${begins} times without a fault`);
      }
    must(this.scheduler.alarms === 0, "there was an alarm without a fault");
  }

  /** What a task came to must be what it was made for, unless somebody or something else ended it. */
  #checkOutcome(plan: JobPlan, task: number, { how, code }: { how: string; code?: string }): void {
    const name = `${plan.id}/${task}`;
    if (how === "cancelled")
      return must(
        this.meddled.has(plan.place) || plan.maxFails < 1_000_000 || plan.behaviours.includes("unreachable"),
        `${name} is cancelled, nobody asked for it`,
      );
    if (how === "erred" && (code === "PE_TASK_POISON" || code === "PE_NEED_FAILED")) return;
    if (plan.behaviours[task] === "straggling" && code === "PE_TIMEOUT") return;
    const should = outcomeOf(plan.behaviours[task]!);
    must(should === (how === "finished" ? "finished" : code), `${name} came to ${how} ${code ?? ""}, not ${should}`);
  }

  /** The scheduler knows of each value on each worker, and of no other. */
  #checkHolders(): void {
    const { state } = this.scheduler.core!;
    for (const { name, values } of state.workers.values()) {
      const host = this.workerNamed(name);
      // It has just left, and the scheduler has not heard of it.
      if (!host.isUp) continue;
      const known = [...values].map((key) => {
        const { job, task } = state.values.get(key)!;
        return valueKey({ id: job.id, task });
      });
      const held = host.heldValues();
      const [all, both] = [new Set([...known, ...held]), new Set(known.filter((key) => held.includes(key)))];
      const odd = [...all].filter((key) => !both.has(key));
      must(
        odd.length === 0,
        `${name} and the scheduler disagree about ${odd.length} values: ${odd.slice(0, 5).join(" ")}`,
      );
    }
  }

  /** Everything is given back when the jobs are released. */
  #checkEnd(): void {
    this.#runUntil(() => false, 12_000);
    this.#checkHolders();
    for (const client of this.clients) client.release();
    this.#runUntil(() => false, 12_000);
    for (const client of this.clients) must(client.hasReleased, "a release was not answered");
    this.scheduler.checkEnd();
    const { state } = this.scheduler.core!;
    const left = {
      jobs: state.jobs.size,
      ids: state.jobsById.size,
      keys: state.keys.size,
      suspects: state.suspects.size,
      condemned: state.condemned.size,
      reserved: state.reserved.size,
      accused: state.accused.size,
      spent: state.spent.size,
      abandoned: state.abandoned.size,
      values: state.values.size,
      seekers: state.seekers.size,
      persisted: state.persisted.size,
      replications: state.replications.size,
      retiring: state.retiring.size,
      edges: state.edges.count,
      ...state.totals,
      batches: state.queue.isEmpty ? 0 : 1,
      leases: [...state.workers.values()].reduce((sum, { leases }) => sum + leases.size, 0),
      toldJobs: [...state.workers.values()].reduce((sum, { jobs }) => sum + jobs.size, 0),
      unconfirmed: [...state.workers.values()].reduce((sum, { unconfirmed }) => sum + unconfirmed.size, 0),
      missing: this.workers.length - state.workers.size,
    };
    for (const [what, count] of Object.entries(left))
      must(count === 0, `the scheduler still has ${count} ${what} at the end`);
    for (const worker of this.workers) worker.checkEmpty();
    if (this.options.isCalm) must(state.counters.droppedReports === 0, "a report was dropped without a fault");
  }
}

function outcomeOf(behaviour: Behaviour): string {
  switch (behaviour) {
    case "failing":
      return "PE_TASK_FAILED";
    case "endless":
      return "PE_TIMEOUT";
    case "huge":
      return "PE_LIMIT";
    case "unreachable":
      return "PE_INPUT_UNREACHABLE";
    case "poisonThread":
    case "poisonWorker":
      return "PE_TASK_POISON";
    default:
      return "finished";
  }
}

function hasNeeds(plan: JobPlan, task: number): boolean {
  const batch = batchAt(plan, task);
  return (batch.needs?.[task - batch.start]?.length ?? 0) > 0;
}
