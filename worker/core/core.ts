/** The worker's core: `step(event, nowMs)` gives effects. Pure, like the scheduler's. */
import { assert } from "../../common/assert.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import type { schedulerToWorker, SchedulerToWorker } from "../../protocol/worker-link.ts";
import type { TaskInput, WorkerEffect, WorkerEvent } from "./events.ts";
import { giveBack, heartbeat, introduce } from "./reports.ts";
import { MOVE_VALUES_MS, NAME_TAKEN_GRACE_MS, SCHEDULER_LOST_AFTER_MS, TICK_GAP_MS } from "./limits.ts";
import {
  createState,
  handKey,
  send,
  type HandOut,
  type HeldValue,
  type Inputs,
  type WorkerIdentity,
  type WorkerState,
} from "./state.ts";
import { checkTimes, drop, fillSlots, onEnded, onThreadDied, onThreadUp } from "./threads.ts";
import {
  free,
  isReady,
  keep,
  leaveValues,
  makeRoom,
  nameOf,
  onNotSpilled,
  onSpilled,
  onValueHere,
  onValueMissing,
  useValues,
  want,
} from "./values.ts";

export interface WorkerCore {
  /** Everything it knows: for status and tests; not to be changed. */
  readonly state: WorkerState;
  step(event: WorkerEvent, nowMs: number): readonly WorkerEffect[];
}

export function createWorkerCore(identity: WorkerIdentity): WorkerCore {
  const state = createState(identity);
  return { state, step: (event, nowMs) => step(state, event, nowMs) };
}

function step(state: WorkerState, event: WorkerEvent, nowMs: number): readonly WorkerEffect[] {
  state.nowMs = nowMs;
  handle(state, event);
  fillSlots(state);
  if (state.leaving && !state.left && state.hands.size === 0 && mayLeaveValues(state)) {
    state.left = true;
    state.out.push({ type: "left" });
  }
  const effects = state.out;
  state.out = [];
  return effects;
}

/** The scheduler has its values moved to other workers, and frees them then. */
function mayLeaveValues({ values, connected, nowMs, leavingMs }: WorkerState): boolean {
  return values.size === 0 || !connected || nowMs - leavingMs > MOVE_VALUES_MS;
}

function handle(state: WorkerState, event: WorkerEvent): void {
  switch (event.type) {
    case "connected":
      return onConnected(state);
    case "disconnected":
      state.connected = false;
      return;
    case "said":
      state.heardMs = state.nowMs;
      return (HANDLERS[event.message.type] as (state: WorkerState, message: SchedulerToWorker) => void)(
        state,
        event.message,
      );
    case "ended":
      return onEnded(state, event);
    case "thread-up":
      return onThreadUp(state, event.slot);
    case "thread-died":
      return onThreadDied(state, event.slot, event.reason);
    case "value-here":
      return onValueHere(state, event.name);
    case "value-missing":
      return onValueMissing(state, event.name, event.gone);
    case "value-spilled":
      return onSpilled(state, event.name);
    case "value-not-spilled":
      return onNotSpilled(state, event.name);
    case "memory":
      state.rssBytes = event.rssBytes;
      if (state.paused !== event.paused) {
        state.paused = event.paused;
        heartbeat(state);
      }
      return makeRoom(state);
    case "drain":
      return leave(state);
    case "hand-back":
      return handBack(state);
    case "tick":
      return onTick(state);
  }
}

function onConnected(state: WorkerState): void {
  state.connected = true;
  state.heardMs = state.nowMs;
  state.inputs.clear();
  // The scheduler tells anew what it hands out; of what is held each hand-out knows its own job.
  state.jobs.clear();
  state.tookUs.clear();
  for (const { job } of state.hands.values()) state.jobs.set(job.job, job);
  introduce(state);
  if (state.leaving) send(state, { type: "leaving" });
}

function onTick(state: WorkerState): void {
  forgiveOwnSilence(state);
  checkTimes(state);
  if (state.connected && state.nowMs - state.heardMs > SCHEDULER_LOST_AFTER_MS) {
    state.connected = false;
    state.out.push({ type: "disconnect", reason: "the scheduler is silent" });
  }
  heartbeat(state);
}

/** The process itself stood still: tasks did not run, and what the scheduler said is still to be read. */
function forgiveOwnSilence(state: WorkerState): void {
  const stoodMs = state.nowMs - state.tickedMs - TICK_GAP_MS;
  state.tickedMs = state.nowMs;
  if (stoodMs <= 0) return;
  state.heardMs = Math.min(state.heardMs + stoodMs, state.nowMs);
  for (const slot of state.slots) slot.begunMs = Math.min(slot.begunMs + stoodMs, state.nowMs);
}

type Handlers = {
  readonly [Name in SchedulerToWorker["type"]]: (
    state: WorkerState,
    message: MessageOf<typeof schedulerToWorker, Name>,
  ) => void;
};

const HANDLERS: Handlers = {
  welcome: (state, { epoch }) => {
    state.epoch = epoch;
    state.nameTakenMs = undefined;
  },
  job: (state, job) => void state.jobs.set(job.job, job),
  inputs: (state, { job, tasks, attempts, counts, ends, values }) => {
    let first = 0;
    for (const [place, task] of tasks.entries()) {
      const key = handKey(job, task);
      const inputs = inputsFor(state, key, attempts[place]!);
      for (const stop = first + counts[place]!; first < stop; first++)
        inputs.results.push(values.slice(first === 0 ? 0 : ends[first - 1], ends[first]));
    }
  },
  values: (state, { job, task, attempt, places, values }) => {
    const inputs = inputsFor(state, handKey(job, task), attempt);
    for (const [index, wanted] of values.entries()) inputs.values.push({ place: places[index]!, wanted });
  },
  keep,
  free,
  upload: (state, { ticket, id, task }) => {
    // The one that asked hears of it when there is none.
    state.out.push({ type: "upload-value", ticket, name: { id, task } });
  },
  assign,
  stored: (state, { job, tasks, epochs, attempts }) => {
    for (let place = 0; place < tasks.length; place++) {
      const key = handKey(job, tasks[place]!);
      const hand = state.hands.get(key);
      if (hand?.epoch !== epochs[place] || hand?.attempt !== attempts[place]) continue;
      if (hand!.state.name === "done" || hand!.state.name === "failed") state.hands.delete(key);
    }
  },
  retract: (state, { count }) => returnLine(state, count),
  drop: (state, { job, tasks, epochs, attempts }) => {
    for (const [place, task] of tasks.entries()) drop(state, job, task, epochs[place]!, attempts[place]!);
  },
  forget: (state, { job }) => {
    state.jobs.delete(job);
    state.tookUs.delete(job);
  },
  refuse: (state, { code, message }) => {
    state.nameTakenMs ??= state.nowMs;
    // Perhaps by this worker itself, on a connection whose end the scheduler has not noticed: the next try tells.
    if (code === "PE_NAME_TAKEN" && state.nowMs - state.nameTakenMs < NAME_TAKEN_GRACE_MS) return;
    state.out.push({ type: "refused", code, message });
  },
  alive: () => undefined,
};

function assign(
  state: WorkerState,
  { job: number, timeoutMs, tasks, attempts, ends, parameters }: MessageOf<typeof schedulerToWorker, "assign">,
): void {
  const job = state.jobs.get(number);
  assert(job !== undefined, () => `a hand-out of job ${number} came before the job`);
  const late: HandOut[] = [];
  for (let place = 0; place < tasks.length; place++) {
    const task = tasks[place]!;
    const key = handKey(number, task);
    const attempt = attempts[place]!;
    const { inputs, values } = takeInputs(state, key, attempt);
    const hand: HandOut = {
      job,
      task,
      epoch: state.epoch,
      attempt,
      timeoutMs,
      // A view: the message lives as long as the last of its hand-outs, and copies cost more than that.
      parameters: parameters.subarray(place === 0 ? 0 : ends[place - 1], ends[place]),
      inputs,
      values,
      state: { name: "line" },
    };
    useValues(state, hand);
    // A hand-out that this one replaces runs on unseen; its report would be too old.
    const old = state.hands.get(key);
    if (old !== undefined) drop(state, number, task, old.epoch, old.attempt);
    if (state.leaving) late.push(hand);
    else {
      state.hands.set(key, hand);
      if (isReady(hand)) state.line.push(hand);
      else hand.state = { name: "fetching" };
    }
  }
  for (const hand of late) leaveValues(state, hand);
  giveBack(state, late);
}

/** What has come for a hand-out so far. */
function inputsFor(state: WorkerState, key: number, attempt: number): Inputs {
  const known = state.inputs.get(key);
  const inputs = known?.attempt === attempt ? known : { attempt, results: [], values: [] };
  state.inputs.set(key, inputs);
  return inputs;
}

const NOTHING: Pick<HandOut, "inputs" | "values"> = { inputs: [], values: [] };

/** What came ahead of a hand-out; begins to fetch what is not here. */
function takeInputs(state: WorkerState, key: number, attempt: number): Pick<HandOut, "inputs" | "values"> {
  const came = state.inputs.get(key);
  if (came === undefined) return NOTHING;
  state.inputs.delete(key);
  if (came.attempt !== attempt || state.leaving) return NOTHING;
  const inputs: TaskInput[] = [...came.results];
  const values: HeldValue[] = [];
  // Ascending, so that each goes where those before it leave room for it.
  for (const { place, wanted } of came.values) {
    const value = want(state, wanted);
    values.push(value);
    inputs.splice(place, 0, nameOf(value));
  }
  return { inputs, values };
}

function isUnbegun({ state: { name } }: HandOut): boolean {
  return name === "line" || name === "fetching";
}

/** Gives back up to `count` hand-outs: those that wait for values, then from the end of the line. */
function returnLine(state: WorkerState, count: number): void {
  const fetching = [...state.hands.values()].filter((hand) => hand.state.name === "fetching").slice(-count);
  const back = state.line.splice(Math.max(0, state.line.length - (count - fetching.length)));
  back.push(...fetching);
  for (const hand of back) {
    state.hands.delete(handKey(hand.job.job, hand.task));
    leaveValues(state, hand);
  }
  giveBack(state, back);
  // An answer is owed even when there is nothing to give.
  if (back.length === 0)
    send(state, { type: "returned", job: 0, tasks: new Uint32Array(0), attempts: new Uint32Array(0) });
}

function leave(state: WorkerState): void {
  if (state.leaving) return;
  state.leaving = true;
  state.leavingMs = state.nowMs;
  send(state, { type: "leaving" });
  const isAnyUnbegun = [...state.hands.values()].some((hand) => isUnbegun(hand));
  if (isAnyUnbegun) returnLine(state, state.hands.size);
}

/**
 * What has no report yet may run elsewhere, and nobody is to blame: the scheduler takes it as unbegun. Its thread, and its
 * report if it still comes, are like those of a hand-out that was dropped.
 */
function handBack(state: WorkerState): void {
  leave(state);
  const back = [...state.hands.values()].filter(({ state: { name } }) => name !== "done" && name !== "failed");
  for (const { job, task, epoch, attempt } of back) drop(state, job.job, task, epoch, attempt);
  giveBack(state, back);
}
