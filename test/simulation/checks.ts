/**
 * Invariants. `LocalChecks` looks at what one step did, cheaply, after each step; `checkAgreement`, `checkWhole` and the
 * comparison of restarts look at everything, at crashes and at the end.
 */
import type { createSchedulerCore, SchedulerCore } from "../../scheduler/core/core.ts";
import type { SchedulerEffect, SchedulerEvent } from "../../scheduler/core/events.ts";
import type { SchedulerState } from "../../scheduler/core/state.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import { DEATHS_MAX } from "../../scheduler/core/limits.ts";
import { TASK } from "../../scheduler/core/task-state.ts";
import { leaseKey, type WorkerRecord } from "../../scheduler/core/worker-record.ts";
import { ENDED, Ledger, must } from "./ledger.ts";
import { checkValues } from "./value-checks.ts";

type Core = SchedulerCore;
export type CreateSchedulerCore = typeof createSchedulerCore;

const FACTS = { finished: ENDED.finished, erred: ENDED.erred, cancelled: ENDED.cancelled } as const;

/** Judges the effects of one life of the scheduler, and its state after each step. */
export class LocalChecks {
  /** By what is written, durable or not. */
  readonly written: Ledger;
  /** By what is durable. */
  readonly durable: Ledger;
  readonly #state: SchedulerState;
  /** Newest attempt of each hand-out in this life, by lease key. */
  readonly #attempts = new Map<number, number>();
  /** The hand-out whose report ended a task, by lease key: `epoch/attempt`. */
  readonly #endedBy = new Map<number, string>();
  /** The job that the event of this step ends. */
  #endedJob: number | undefined;
  #steps = 0;

  constructor(core: Core, written: Ledger, durable: Ledger) {
    this.#state = core.state;
    this.written = written;
    this.durable = durable;
  }

  /** Before an event enters the core. */
  before(event: SchedulerEvent): void {
    this.#endedJob = undefined;
    if (event.type !== "worker-said") return;
    const { message } = event;
    const leases = this.#state.workers.get(event.link)?.leases;
    if (message.type === "done")
      for (const [place, task] of message.tasks.entries())
        this.#mayEnd(leases, message.job, task, message.epochs[place]!, message.attempts[place]!);
    if (message.type !== "failed") return;
    const counts = this.#mayEnd(leases, message.job, message.task, message.epoch, message.attempt);
    if (counts && message.endsJob) this.#endedJob = message.job;
  }

  /** @returns Whether the report counts. */
  #mayEnd(
    leases: WorkerRecord["leases"] | undefined,
    job: number,
    task: number,
    epoch: number,
    attempt: number,
  ): boolean {
    const key = leaseKey(job, task);
    const lease = leases?.get(key);
    if (lease?.epoch !== epoch || lease.attempt !== attempt) return false;
    this.#endedBy.set(key, `${epoch}/${attempt}`);
    return true;
  }

  /** Before an effect is carried out. */
  effect(effect: SchedulerEffect): void {
    switch (effect.type) {
      case "journal":
        return this.written.apply(effect.record);
      case "to-client":
        return this.#told(effect);
      case "to-worker":
        return this.#toWorker(effect);
    }
  }

  #told({ message }: Extract<SchedulerEffect, { type: "to-client" }>): void {
    switch (message.type) {
      case "opened":
        must(this.durable.everJobs.has(message.job), `job ${message.job} is told to be open before it is durable`);
        return;
      case "appended": {
        const rows = this.durable.everJobs.get(message.job)?.rows ?? 0;
        must(rows >= message.tasks, `job ${message.job} is told to have ${message.tasks} tasks, ${rows} are durable`);
        return;
      }
      case "finished":
        for (const task of message.tasks) this.#fact(message.job, task, "finished");
        return;
      case "cancelled":
        for (const task of message.tasks) this.#fact(message.job, task, "cancelled");
        return;
      case "erred":
        must(message.story.length > 0, `the error of ${message.job}/${message.task} comes without its story`);
        return this.#fact(message.job, message.task, "erred");
      case "ended": {
        const job = this.durable.everJobs.get(message.job);
        must(job?.sealed, `job ${message.job} is told to have ended, but is not durably sealed`);
        if (!this.durable.jobs.has(message.job)) return;
        for (let task = 0; task < job.rows; task++)
          must(job.isVolatile[task] || job.ever[task]! > 0, `job ${job.id} is told to have ended before task ${task}`);
        return;
      }
      case "found": {
        const { job } = message;
        if (job === undefined) return;
        const known = this.durable.everJobs.get(job.job);
        must(known !== undefined, `job "${job.id}" is told to be found before it is durable`);
        if (known.isVolatile.includes(true)) return;
        const finished = known.ever.filter((ever) => (ever & ENDED.finished) !== 0).length;
        must(
          job.counts.finished <= finished,
          `${job.counts.finished} finished tasks are told, ${finished} are durable`,
        );
      }
    }
  }

  #fact(number: number, task: number, fact: keyof typeof FACTS): void {
    const job = this.durable.everJobs.get(number);
    if (job !== undefined && (job.ever[task]! & FACTS[fact]) !== 0) return;
    // A release ends what had not ended.
    if (job !== undefined && fact === "cancelled" && !this.durable.jobs.has(number)) return;
    const isVolatile = this.#isVolatile(number, task);
    must(isVolatile && fact === "finished", `task ${number}/${task} is told ${fact} before that is durable`);
  }

  /** Of a task that may be not durable itself. */
  #isVolatile(number: number, task: number): boolean {
    const job = this.#state.jobs.get(number);
    return job?.batches.find(({ stop }) => task < stop)?.options.volatile === true;
  }

  #toWorker({ link, message }: Extract<SchedulerEffect, { type: "to-worker" }>): void {
    switch (message.type) {
      case "assign":
        for (const [place, task] of message.tasks.entries())
          this.#handOut(link, message.job, task, message.attempts[place]!);
        return;
      case "stored":
      case "drop":
        for (const [place, task] of message.tasks.entries())
          if (this.#endedBy.get(leaseKey(message.job, task)) === `${message.epochs[place]}/${message.attempts[place]}`)
            this.#mayForget(message.job, task, message.type);
    }
  }

  /** Whoever had the report that ended a task may forget it: then that must be durable. */
  #mayForget(number: number, task: number, word: string): void {
    const job = this.#state.jobs.get(number);
    if (job === undefined || task >= job.table.rows) return;
    const now = job.table.state(task);
    if (now !== TASK.finished && now !== TASK.erred) return;
    if (now === TASK.finished && this.#isVolatile(number, task)) return;
    const fact = now === TASK.finished ? ENDED.finished : ENDED.erred;
    const ever = this.durable.jobs.get(number)?.ever[task] ?? 0;
    must((ever & fact) !== 0, `${word} of ${number}/${task} is said before its end is durable`);
  }

  #handOut(link: number, number: number, task: number, attempt: number): void {
    const state = this.#state;
    const name = `${number}/${task} attempt ${attempt}`;
    const worker = state.workers.get(link);
    const job = state.jobs.get(number);
    must(worker !== undefined, `${name} is handed to a worker that is gone`);
    must(job !== undefined, `${name} is handed out, its job is gone`);
    must(worker.state === "active" && !worker.paused, `${name} is handed to a worker that is ${worker.state}`);
    must(job.table.state(task) === TASK.processing, `${name} is handed out but not processing`);
    must(job.table.owner(task) === link, `${name} is handed to another worker than its owner`);
    const key = leaseKey(number, task);
    must(worker.leases.get(key)?.attempt === attempt, `${name} is handed out without a lease`);
    must((this.#attempts.get(key) ?? 0) < attempt, `${name} is handed out a second time`);
    this.#attempts.set(key, attempt);
    this.#endedBy.delete(key);
    if (state.reserved.size > 0 || job.table.deaths(task) > 0) this.#checkAlone(worker, name);
    const batch = job.batches.find(({ stop }) => task < stop)!;
    must(
      batch.options.workers.length === 0 || batch.options.workers.includes(worker.name),
      `${name} is not on its worker`,
    );
    must(worker.kinds.get(job.kind) === job.version, `${name} is handed to a worker without its kind`);
    if (batch.needs === undefined) return;
    const place = task - batch.start;
    for (let k = place === 0 ? 0 : batch.needs.ends[place - 1]!; k < batch.needs.ends[place]!; k++)
      this.#checkNeed(name, batch.needs.jobs[k]!, batch.needs.tasks[k]!);
  }

  #checkNeed(name: string, number: number, task: number): void {
    const need = this.#state.jobs.get(number);
    if (need !== undefined && need.table.valueBytes(task) > 0)
      must(
        (this.#state.values.get(leaseKey(number, task))?.holders.size ?? 0) > 0,
        `${name} is handed out, and nobody has the value of ${number}/${task}`,
      );
    const isDurable = ((this.durable.jobs.get(number)?.ever[task] ?? 0) & ENDED.finished) !== 0;
    if (isDurable) return;
    const job = this.#state.jobs.get(number);
    const isFinished = job?.table.state(task) === TASK.finished && this.#isVolatile(number, task);
    must(isFinished, `${name} is handed out before ${number}/${task}, which it needs, is durable`);
  }

  /** A hung worker is suspect after at most 3 s and lost after at most 6 s, as time is seen at ticks. */
  #checkSilence(): void {
    for (const { name, heardMs, state } of this.#state.workers.values()) {
      const silentMs = this.#state.nowMs - heardMs;
      must(silentMs <= 6000, `worker ${name} is silent for ${silentMs} ms and not lost`);
      must(silentMs <= 3000 || state !== "active", `worker ${name} is silent for ${silentMs} ms and not suspect`);
    }
  }

  /** An error that concerns the whole job leaves nothing of it to do, but for lost values that tasks of other jobs need. */
  #checkEndedJob(number: number): void {
    const { table } = this.#state.jobs.get(number)!;
    const ever = this.durable.jobs.get(number)?.ever ?? [];
    for (let task = 0; task < table.rows; task++)
      must(
        table.state(task) >= TASK.finished || ((ever[task] ?? 0) & ENDED.finished) !== 0,
        `task ${number}/${task} goes on after an error that ends its job`,
      );
  }

  #checkAlone(
    worker: {
      leases: ReadonlyMap<number, { job: { table: { deaths(task: number): number } }; task: number; epoch: number }>;
    },
    name: string,
  ): void {
    if (worker.leases.size < 2) return;
    for (const { job, task, epoch } of worker.leases.values())
      must(job.table.deaths(task) === 0 || epoch < this.#state.epoch, `${name} is handed out beside a suspect`);
  }

  /** After a step. */
  step(event: SchedulerEvent): void {
    const state = this.#state;
    if (event.type === "tick") this.#checkSilence();
    if (this.#endedJob !== undefined) this.#checkEndedJob(this.#endedJob);
    let [processing, tasks] = [0, 0];
    for (const { table } of state.jobs.values()) {
      const { counts } = table;
      let sum = 0;
      for (let place = 0; place < counts.length; place++) sum += counts[place]!;
      must(sum === table.rows, `${sum} tasks are counted of ${table.rows}`);
      processing += counts[TASK.processing]!;
      tasks += table.rows;
    }
    must(tasks === state.totals.tasks, `${tasks} tasks are there, ${state.totals.tasks} in total`);
    for (const worker of state.workers.values()) {
      processing -= worker.leases.size;
      if (worker.taken.size === 0) continue;
      for (const [name, amount] of worker.taken)
        must(
          amount >= 0 && amount <= (worker.resources.get(name) ?? 0),
          `worker ${worker.name} gives ${amount} ${name}`,
        );
    }
    must(processing === 0, `${processing} more tasks are processing than leased`);
    if (++this.#steps % 64 === 0) checkWhole(state);
  }
}

/** Every hand-out has its task and every task in processing its hand-out; lines hold what they should. */
export function checkWhole(state: SchedulerState): void {
  for (const worker of state.workers.values()) {
    const taken = new Map<string, number>();
    let outstandingUs = 0;
    for (const [key, { job, task, batch, estimateUs }] of worker.leases) {
      must(leaseKey(job.job, task) === key, `the lease of ${job.job}/${task} has another key`);
      must(state.jobs.get(job.job) === job, `worker ${worker.name} has task ${task} of a released job`);
      must(
        job.table.state(task) === TASK.processing,
        `worker ${worker.name} has ${job.id}/${task}, which is not processing`,
      );
      must(job.table.owner(task) === worker.link, `${job.id}/${task} has two owners`);
      outstandingUs += estimateUs;
      for (const { name, amount } of batch.options.resources) taken.set(name, (taken.get(name) ?? 0) + amount);
    }
    must(
      Math.abs(outstandingUs - worker.outstandingUs) < 1,
      `worker ${worker.name} has ${outstandingUs} us outstanding, not ${worker.outstandingUs}`,
    );
    for (const [name, amount] of worker.taken)
      must(amount === (taken.get(name) ?? 0), `worker ${worker.name}: ${name}`);
    must(worker.alone === state.reserved.has(worker), `worker ${worker.name} is alone and not reserved`);
  }
  checkValues(state);
  for (const job of state.jobs.values()) {
    let settled = 0;
    for (let task = 0; task < job.table.rows; task++) {
      const now = job.table.state(task);
      if (job.table.isSettled(task)) settled++;
      if (now !== TASK.queued) continue;
      const batch = job.batches.find(({ stop }) => task < stop)!;
      if (job.table.deaths(task) >= DEATHS_MAX) {
        must(state.condemned.has(leaseKey(job.job, task)), `${job.id}/${task} waits for no verdict`);
        continue;
      }
      if (job.table.deaths(task) > 0) {
        must(state.suspects.has(batch.shape, leaseKey(job.job, task)), `${job.id}/${task} is suspected and in no line`);
        continue;
      }
      const isInLine =
        batch.fresh.some(({ start, stop }) => start <= task && task < stop) || batch.ready.includes(task);
      must(isInLine && batch.isQueued, `${job.id}/${task} is queued and in no line`);
    }
    must(settled === job.table.settledRows, `${job.id} counts ${job.table.settledRows} settled tasks of ${settled}`);
  }
}

/** What a state restored from records must be, by the ledger of the same records. Volatile results may be there or not. */
export function checkAgreement(state: SchedulerState, ledger: Ledger): void {
  must(state.jobs.size === ledger.jobs.size, `${state.jobs.size} jobs are restored of ${ledger.jobs.size}`);
  for (const known of ledger.jobs.values()) {
    const job = state.jobs.get(known.job);
    must(job?.id === known.id, `job ${known.id} is not restored`);
    must(job.table.rows === known.rows, `job ${known.id} is restored with ${job.table.rows} tasks of ${known.rows}`);
    must(job.sealed === known.sealed, `job ${known.id} is restored ${known.sealed ? "not " : ""}sealed`);
    for (let task = 0; task < known.rows; task++) {
      const now = job.table.state(task);
      const name = `${known.id}/${task}`;
      const hasFinished = now === TASK.finished || now === TASK.released;
      if (known.isVolatile[task] && known.now[task] === ENDED.no && hasFinished) continue;
      const ended = hasFinished
        ? ENDED.finished
        : now === TASK.erred
          ? ENDED.erred
          : now === TASK.cancelled
            ? ENDED.cancelled
            : ENDED.no;
      must(ended === known.now[task], `${name} is restored as ${ended}, the records say ${known.now[task]}`);
      if (ended === ENDED.finished)
        must(job.table.valueBytes(task) === (known.sizes.get(task) ?? 0), `the size of the value of ${name} changed`);
      if (ended === ENDED.finished)
        must(equal(job.table.result(task), known.results.get(task)!), `the result of ${name} changed`);
      if (ended === ENDED.erred)
        must(job.errors.get(task)?.code === known.codes.get(task), `the error of ${name} changed`);
      if (ended !== ENDED.no) continue;
      must(
        job.table.deaths(task) === known.deaths[task],
        `${name} is restored with ${job.table.deaths(task)} deaths of ${known.deaths[task]}`,
      );
      must(
        job.table.fails(task) === known.fails[task],
        `${name} is restored with ${job.table.fails(task)} fails of ${known.fails[task]}`,
      );
    }
  }
}

/** Records restore what their ledger says, and a restart goes on from them. */
export function checkRestart(
  create: CreateSchedulerCore,
  records: readonly JournalRecord[],
  ledger: Ledger,
  nowMs: number,
): void {
  const { core, effects } = create({ records, sequence: ledger.epoch }, nowMs);
  checkWhole(core.state);
  // A new life may have errors to write that the one before had not come to.
  const after = cloneOf(ledger);
  for (const effect of effects) if (effect.type === "journal") after.apply(effect.record);
  checkAgreement(core.state, after);
}

function cloneOf(ledger: Ledger): Ledger {
  const clone = new Ledger();
  clone.epoch = 0;
  for (const job of ledger.jobs.values()) {
    const copy = {
      ...job,
      now: [...job.now],
      ever: [...job.ever],
      codes: new Map(job.codes),
      sizes: new Map(job.sizes),
    };
    clone.jobs.set(job.job, copy);
    clone.everJobs.set(job.job, copy);
  }
  return clone;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let place = 0; place < a.byteLength; place++) if (a[place] !== b[place]) return false;
  return true;
}
