/**
 * A scheduler's core with a journal in memory, one client and as many workers as are needed. Every message passes through the
 * codec, and everything is checked after each step.
 */
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from "../../protocol/client-link.ts";
import { decodeFrame, encodeFrame } from "../../protocol/codec.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import { journalRecords } from "../../protocol/journal-records.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import {
  schedulerToWorker,
  workerToScheduler,
  type LastDeath,
  type SchedulerToWorker,
  type WorkerToScheduler,
} from "../../protocol/worker-link.ts";
import { createSchedulerCore, type SchedulerCore } from "../../scheduler/core/core.ts";
import type { SchedulerEffect, SchedulerEvent } from "../../scheduler/core/events.ts";
import { TASK_STATES, type TaskStateName } from "../../scheduler/core/task-state.ts";
import { checkAgreement, checkWhole } from "../simulation/checks.ts";
import { Ledger } from "../simulation/ledger.ts";

type OfType<Union, Type> = Extract<Union, { type: Type }>;
export interface Hand {
  readonly job: number;
  readonly task: number;
  readonly attempt: number;
  readonly epoch: number;
}

export interface FailedHow {
  readonly died?: boolean;
  readonly blameless?: boolean;
  readonly endsJob?: boolean;
  readonly message?: string;
}

export const OPTIONS = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] };
export const NO_BYTES = new Uint8Array(0);
export const column = (...values: number[]): Uint32Array => Uint32Array.from(values);

/** Needs of the tasks of a batch, each a list of [job, task]. */
export function needsOf(...lists: readonly (readonly (readonly [job: number, task: number])[])[]) {
  let end = 0;
  return {
    ends: column(...lists.map((list) => (end += list.length))),
    jobs: column(...lists.flatMap((list) => list.map(([job]) => job))),
    tasks: column(...lists.flatMap((list) => list.map(([, task]) => task))),
  };
}

export class SchedulerUnderTest {
  core: SchedulerCore;
  nowMs = 0;
  records: JournalRecord[] = [];
  durable = 0;
  alarms: string[] = [];
  readonly released: string[] = [];
  closed: number[] = [];
  readonly #told = new Map<number, SchedulerToClient[]>();
  readonly #said = new Map<number, SchedulerToWorker[]>();
  #request = 0;
  #link = 100;
  #isSyncing = true;

  constructor() {
    this.core = this.#create();
    this.connectClient(1);
  }

  #create(): SchedulerCore {
    const { core, effects } = createSchedulerCore({ records: this.records, sequence: this.records.length }, this.nowMs);
    this.core = core;
    this.#carryOut(effects);
    return core;
  }

  /** From now on nothing becomes durable before `fsync()`. */
  holdDisk(): void {
    this.#isSyncing = false;
  }

  fsync(): void {
    if (this.durable === this.records.length) return;
    this.durable = this.records.length;
    this.#step({ type: "durable", sequence: this.durable });
  }

  /** The process dies; what is not durable is lost. */
  restart(): void {
    this.records.length = this.durable;
    this.#said.clear();
    this.#told.clear();
    this.core = this.#create();
    const ledger = new Ledger();
    for (const record of this.records) ledger.apply(record);
    checkAgreement(this.core.state, ledger);
    this.connectClient(1);
  }

  #step(event: SchedulerEvent): void {
    this.#carryOut(this.core.step(event, this.nowMs));
    checkWhole(this.core.state);
    if (this.#isSyncing) this.fsync();
  }

  #carryOut(effects: readonly SchedulerEffect[]): void {
    for (const effect of effects)
      switch (effect.type) {
        case "journal":
          this.records.push(decodeFrame(journalRecords, encodeFrame(journalRecords, [effect.record]))[0]!);
          break;
        case "to-client":
          push(
            this.#told,
            effect.link,
            decodeFrame(schedulerToClient, encodeFrame(schedulerToClient, [effect.message]))[0]!,
          );
          break;
        case "to-worker":
          push(
            this.#said,
            effect.link,
            decodeFrame(schedulerToWorker, encodeFrame(schedulerToWorker, [effect.message]))[0]!,
          );
          break;
        case "close-worker":
        case "close-client":
          this.closed.push(effect.link);
          break;
        case "released":
          this.released.push(effect.id);
          break;
        case "alarm":
          this.alarms.push(effect.code);
      }
  }

  connectClient(link: number, protocol = PROTOCOL_VERSION): void {
    const hello = { type: "hello", protocol, software: "test", name: `client-${link}` } as const;
    this.ask(hello, link);
  }

  /** Asks something; `request` is filled in. @returns What the client was told by then. */
  ask(
    message: Omit<ClientToScheduler, "request"> & { readonly type: ClientToScheduler["type"] },
    link = 1,
  ): readonly SchedulerToClient[] {
    const whole = "protocol" in message ? message : { ...message, request: ++this.#request };
    const [decoded] = decodeFrame(clientToScheduler, encodeFrame(clientToScheduler, [whole as ClientToScheduler]));
    this.#told.set(link, []);
    this.#step({ type: "client-said", link, message: decoded! });
    return this.#told.get(link)!;
  }

  closeClient(link: number): void {
    this.#step({ type: "client-closed", link });
  }

  open(id = "job", options: { maxFails?: number; transient?: boolean; kind?: string } = {}): number {
    const { maxFails = 1000, transient = false, kind = "k" } = options;
    this.ask({ type: "open", id, kind, version: "1", common: NO_BYTES, maxFails, transient } as never);
    return this.core.state.jobsById.get(id)!.job;
  }

  append(job: number, count: number, more: object = {}): readonly SchedulerToClient[] {
    const from = this.core.state.jobs.get(job)!.table.rows;
    return this.ask({ type: "append", job, from, count, options: OPTIONS, ...more } as never);
  }

  /** A job with tasks, sealed and watched. */
  submit(count: number, more: object = {}, id = "job"): number {
    const job = this.open(id);
    this.append(job, count, more);
    this.ask({ type: "seal", job, tasks: count } as never);
    this.watch(job);
    return job;
  }

  watch(job: number, link = 1): readonly SchedulerToClient[] {
    return this.ask({ type: "watch", job, results: true } as never, link);
  }

  /** A worker registers. @returns Its link. */
  worker(
    name = "w",
    more: {
      slots?: number;
      gpus?: number;
      instance?: string;
      holds?: boolean;
      protocol?: number;
      kinds?: string[];
      version?: string;
      impure?: boolean;
      lastDeath?: LastDeath;
    } = {},
  ): number {
    const {
      slots = 1,
      gpus = 0,
      instance = name,
      holds = false,
      protocol = PROTOCOL_VERSION,
      kinds = ["k"],
      version = "1",
      impure = false,
      lastDeath,
    } = more;
    const link = ++this.#link;
    this.say(link, {
      type: "register",
      protocol,
      software: "test",
      name,
      instance,
      slots,
      kinds: kinds.map((kind) => ({ name: kind, version, impure })),
      resources: gpus > 0 ? [{ name: "gpu", amount: gpus }] : [],
      holds,
      ...(lastDeath !== undefined && { lastDeath }),
    });
    return link;
  }

  say(link: number, message: WorkerToScheduler): void {
    this.#step({
      type: "worker-said",
      link,
      message: decodeFrame(workerToScheduler, encodeFrame(workerToScheduler, [message]))[0]!,
    });
  }

  /** Reports results of hand-outs of one job. */
  done(
    link: number,
    hands: readonly Hand[],
    result: (task: number) => Uint8Array = (task) => Uint8Array.of(task),
    tookUs = 1000,
  ): void {
    const results = hands.map(({ task }) => result(task));
    let end = 0;
    this.say(link, {
      type: "done",
      job: hands[0]!.job,
      ...columns(hands),
      took: column(...hands.map(() => tookUs)),
      ends: column(...results.map(({ byteLength }) => (end += byteLength))),
      results: Uint8Array.from(results.flatMap((bytes) => [...bytes])),
    });
  }

  /** Reports values that stay on a worker. */
  doneWithValues(link: number, hands: readonly Hand[], bytes = 100_000, tookUs = 1000): void {
    this.say(link, {
      type: "done",
      job: hands[0]!.job,
      ...columns(hands),
      took: column(...hands.map(() => tookUs)),
      ends: new Uint32Array(hands.length),
      results: NO_BYTES,
      sizes: column(...hands.map(() => bytes)),
    });
  }

  /** Names of the workers that hold the value of a task. */
  holders(job: number, task: number): string[] {
    return (this.ask({ type: "whoHas", job, tasks: column(task) } as never)[0] as OfType<SchedulerToClient, "holders">)
      .workers[0] as string[];
  }

  failed(link: number, { job, task, epoch, attempt }: Hand, how: FailedHow = {}): void {
    const { died = false, blameless = false, endsJob = false, message = "no" } = how;
    this.say(link, {
      type: "failed",
      job,
      task,
      epoch,
      attempt,
      code: "PE_TASK_FAILED",
      message,
      stack: "",
      died,
      blameless,
      endsJob,
    });
  }

  held(link: number, hands: readonly Hand[], id = "job"): void {
    this.say(link, { type: "held", job: hands[0]?.job ?? 0, id, ...columns(hands), last: true });
  }

  heartbeat(link: number, hands: readonly Hand[] = [], paused = false, rssBytes = 0): void {
    const { tasks, attempts } = columns(hands);
    this.say(link, {
      type: "heartbeat",
      jobs: column(...hands.map(({ job }) => job)),
      tasks,
      attempts,
      paused,
      rssBytes,
    });
  }

  close(link: number): void {
    this.#step({ type: "worker-closed", link });
  }

  /** Time passes in ticks of half a second, with heartbeats of the workers in `beating`. */
  pass(ms: number, beating: readonly number[] = []): void {
    for (const stop = this.nowMs + ms; this.nowMs < stop;) {
      this.nowMs = Math.min(this.nowMs + 500, stop);
      for (const link of beating) this.heartbeat(link, this.leases(link));
      this.#step({ type: "tick" });
    }
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.#step({ type: "tick" });
  }

  /** What a worker holds, by the scheduler's book. */
  leases(link: number): Hand[] {
    const leases = this.core.state.workers.get(link)?.leases.values() ?? [];
    return [...leases].map(({ job, task, attempt, epoch }) => ({ job: job.job, task, attempt, epoch }));
  }

  heldTasks(link: number): number[] {
    return this.leases(link).map(({ task }) => task);
  }

  state(job: number, task: number): TaskStateName {
    return TASK_STATES[this.core.state.jobs.get(job)!.table.state(task)];
  }

  states(job: number): TaskStateName[] {
    return Array.from({ length: this.core.state.jobs.get(job)!.table.rows }, (_, task) => this.state(job, task));
  }

  /** All that a client was told since its last request, of one type. */
  told<Type extends SchedulerToClient["type"]>(type: Type, link = 1): OfType<SchedulerToClient, Type>[] {
    return (this.#told.get(link) ?? []).filter(
      (message): message is OfType<SchedulerToClient, Type> => message.type === type,
    );
  }

  /** All that a worker was told, of one type. */
  saidTo<Type extends SchedulerToWorker["type"]>(link: number, type: Type): OfType<SchedulerToWorker, Type>[] {
    return (this.#said.get(link) ?? []).filter(
      (message): message is OfType<SchedulerToWorker, Type> => message.type === type,
    );
  }
}

function columns(hands: readonly Hand[]) {
  return {
    tasks: column(...hands.map(({ task }) => task)),
    epochs: column(...hands.map(({ epoch }) => epoch)),
    attempts: column(...hands.map(({ attempt }) => attempt)),
  };
}

function push<Value>(lists: Map<number, Value[]>, link: number, value: Value): void {
  const list = lists.get(link);
  if (list === undefined) lists.set(link, [value]);
  else list.push(value);
}
