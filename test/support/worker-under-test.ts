/** A worker's core with what a shell would do for it. Every message passes through the codec, and slots are checked. */
import { decodeFrame, encodeFrame } from "../../protocol/codec.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import {
  schedulerToWorker,
  workerToScheduler,
  type SchedulerToWorker,
  type WorkerToScheduler,
} from "../../protocol/worker-link.ts";
import { createWorkerCore, type WorkerCore } from "../../worker/core/core.ts";
import type { TaskDone, TaskFailed, WorkerEffect, WorkerEvent } from "../../worker/core/events.ts";

const NONE = new Uint8Array(0);
type Said<Type> = Extract<WorkerToScheduler, { type: Type }>;
type Effect<Type> = Extract<WorkerEffect, { type: Type }>;

export class WorkerUnderTest {
  readonly core: WorkerCore;
  nowMs = 0;
  readonly effects: WorkerEffect[] = [];
  /** Tasks that each slot has, in their order. */
  readonly running = new Map<number, number[]>();

  constructor(slots = 1, valueBytesMax = 1e9) {
    this.core = createWorkerCore({
      protocol: PROTOCOL_VERSION,
      software: "test",
      name: "w",
      instance: "w-1",
      slots,
      kinds: [{ name: "k", version: "1" }],
      resources: [],
      valueBytesMax,
    });
  }

  step(event: WorkerEvent): void {
    for (const effect of this.core.step(event, this.nowMs)) {
      this.effects.push(effect);
      if (effect.type === "send") encodeFrame(workerToScheduler, [effect.message]);
      if (effect.type !== "run") continue;
      const running = this.running.get(effect.slot) ?? [];
      this.running.set(effect.slot, [...running, ...effect.tasks.map(({ task }) => task)]);
    }
  }

  hear(message: SchedulerToWorker): void {
    this.step({ type: "said", message: decodeFrame(schedulerToWorker, encodeFrame(schedulerToWorker, [message]))[0]! });
  }

  connect(epoch = 1): this {
    this.step({ type: "connected" });
    this.hear({ type: "welcome", epoch, worker: 1, software: "test", heartbeatMs: 500 });
    return this;
  }

  /** Told of job 1 and handed tasks of it. */
  assign(
    tasks: readonly number[],
    more: { attempt?: number; timeoutMs?: number; job?: number; id?: string } = {},
  ): void {
    const { attempt = 1, timeoutMs = 0, job = 1, id = `job-${job}` } = more;
    this.hear({ type: "job", job, id, kind: "k", version: "1", common: NONE });
    this.hear({
      type: "assign",
      job,
      timeoutMs,
      tasks: Uint32Array.from(tasks),
      attempts: Uint32Array.from(tasks, () => attempt),
      ends: new Uint32Array(tasks.length),
      parameters: NONE,
    });
  }

  /** Tasks of a slot end. */
  end(
    slot: number,
    done: readonly number[],
    failed: readonly number[] = [],
    attempt = 1,
    tookUs = 1_000_000,
    how: Partial<TaskFailed> = {},
  ): void {
    const left = (this.running.get(slot) ?? []).filter((task) => !done.includes(task) && !failed.includes(task));
    if (left.length === 0) this.running.delete(slot);
    else this.running.set(slot, left);
    this.step({
      type: "ended",
      slot,
      done: done.map((task): TaskDone => ({ job: 1, task, epoch: 1, attempt, tookUs, result: Uint8Array.of(task) })),
      failed: failed.map((task): TaskFailed => ({
        job: 1,
        task,
        epoch: 1,
        attempt,
        code: "PE_TASK_FAILED",
        message: "no",
        stack: "",
        blameless: false,
        endsJob: false,
        ...how,
      })),
      storing: [],
    });
  }

  /** A task of a slot was computed; its parts are on their way. */
  store(slot: number, task: number, attempt = 1): void {
    this.running.set(
      slot,
      this.running.get(slot)!.filter((other) => other !== task),
    );
    this.step({ type: "ended", slot, done: [], failed: [], storing: [{ job: 1, task, epoch: 1, attempt }] });
  }

  die(slot: number): void {
    this.running.delete(slot);
    this.step({ type: "thread-died", slot, reason: "out of memory" });
  }

  columns(tasks: readonly number[], epoch = 1, attempt = 1) {
    return {
      job: 1,
      tasks: Uint32Array.from(tasks),
      epochs: Uint32Array.from(tasks, () => epoch),
      attempts: Uint32Array.from(tasks, () => attempt),
    };
  }

  /** Of a message `inputs`: results of a byte each, by task. */
  inputs(tasks: readonly number[], bytes: readonly (readonly number[])[], attempt = 1) {
    const { attempts } = this.columns(tasks, 1, attempt);
    const values = Uint8Array.from(bytes.flat());
    return {
      tasks: Uint32Array.from(tasks),
      attempts,
      counts: Uint32Array.from(bytes, ({ length }) => length),
      ends: Uint32Array.from(values, (_, place) => place + 1),
      values,
    };
  }

  tick(ms: number): void {
    for (const stop = this.nowMs + ms; this.nowMs < stop;) {
      this.nowMs = Math.min(this.nowMs + 500, stop);
      this.step({ type: "tick" });
    }
  }

  said<Type extends WorkerToScheduler["type"]>(type: Type): Said<Type>[] {
    return this.did("send").flatMap(({ message }) => (message.type === type ? [message as Said<Type>] : []));
  }

  did<Type extends WorkerEffect["type"]>(type: Type): Effect<Type>[] {
    return this.effects.filter((effect): effect is Effect<Type> => effect.type === type);
  }

  /** Where each hand-out is, by task. */
  get hands(): Record<number, string> {
    return Object.fromEntries([...this.core.state.hands.values()].map(({ task, state }) => [task, state.name]));
  }
}
