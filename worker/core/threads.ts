/** Which slot runs what: frames of tasks from the line, and what becomes of them. */
import type { HandOutId, WorkerEvent } from "./events.ts";
import { AHEAD_US, DROP_GRACE_MS, FRAME_TARGET_US, FRAME_TASKS_MAX } from "./limits.ts";
import { reportDone, reportFailed } from "./reports.ts";
import { keepOwn, leaveValues, loseOwn } from "./values.ts";
import { handKey, type HandOut, type Slot, type WorkerState } from "./state.ts";

/** Gives frames from the line to slots that are idle, then to those that soon will be. */
export function fillSlots(state: WorkerState): void {
  if (state.line.length === 0) return;
  const usable = state.slots.filter(({ killedFor }) => killedFor === undefined);
  giveFrames(
    state,
    usable.filter(({ frame }) => frame.length === 0),
  );
  let soon = usable;
  while (state.line.length > 0 && soon.length > 0) {
    soon = soon.filter((slot) => endsSoon(state, slot));
    giveFrames(state, soon);
  }
}

function giveFrames(state: WorkerState, slots: readonly Slot[]): void {
  for (const [place, slot] of slots.entries()) {
    if (state.line.length === 0) return;
    giveFrame(state, slot, slots.length - place);
  }
}

/** Whether a slot's work may end before the next report, as far as one can tell. */
function endsSoon({ tookUs }: WorkerState, { frame }: Slot): boolean {
  if (frame.length > FRAME_TASKS_MAX) return false;
  let leftUs = 0;
  for (const { job } of frame) {
    leftUs += tookUs.get(job.job) ?? Infinity;
    if (leftUs >= AHEAD_US) return false;
  }
  return true;
}

function giveFrame(state: WorkerState, slot: Slot, sharers: number): void {
  const { job, timeoutMs } = state.line[0]!;
  const most = frameSize(state, job.job, Math.ceil(state.line.length / sharers));
  let count = 1;
  while (count < most && state.line[count]!.job === job && state.line[count]!.timeoutMs === timeoutMs) count++;
  const frame = state.line.splice(0, count);
  if (slot.frame.length === 0) slot.begunMs = state.nowMs;
  for (const hand of frame) {
    hand.state = { name: "frame", slot: slot.number };
    slot.frame.push(hand);
  }
  state.out.push({
    type: "run",
    slot: slot.number,
    job: job.job,
    id: job.id,
    kind: job.kind,
    common: job.common,
    tasks: frame.map(({ task, epoch, attempt, parameters, inputs }) => ({ task, epoch, attempt, parameters, inputs })),
  });
}

/** Tasks of unknown length go one at a time. */
function frameSize(state: WorkerState, job: number, share: number): number {
  const tookUs = state.tookUs.get(job);
  const fit = tookUs === undefined ? 1 : Math.floor(FRAME_TARGET_US / Math.max(tookUs, 1));
  return Math.max(1, Math.min(fit, share, FRAME_TASKS_MAX, state.line.length));
}

/** Tasks of a slot ended, or were computed. */
export function onEnded(state: WorkerState, { slot: number, done, failed, storing }: Ended): void {
  const slot = state.slots[number]!;
  const first = slot.frame[0];
  for (const computed of storing) {
    const hand = take(state, slot, computed);
    if (hand === undefined) continue;
    hand.state = { name: "storing" };
    leaveValues(state, hand);
  }
  const reports: HandOut[] = [];
  for (const ended of done) {
    const hand = take(state, slot, ended);
    if (hand === undefined) continue;
    if (ended.held !== undefined) keepOwn(state, hand, ended, ended.held.bytes);
    hand.state = { name: "done", done: ended };
    leaveValues(state, hand);
    learn(state, ended.job, ended.tookUs);
    reports.push(hand);
  }
  reportDone(state, reports);
  for (const ended of failed) {
    const hand = take(state, slot, ended);
    if (hand === undefined) continue;
    hand.state = { name: "failed", failed: ended, died: false };
    leaveValues(state, hand);
    reportFailed(state, hand);
  }
  if (slot.frame[0] !== first) slot.begunMs = state.nowMs;
}

type Ended = Extract<WorkerEvent, { type: "ended" }>;

/** The hand-out that ended, unless nobody wants it any more. */
function take(state: WorkerState, slot: Slot, ended: HandOutId): HandOut | undefined {
  const place = slot.frame.findIndex((hand) => isOf(hand, ended));
  const hand = place === -1 ? state.hands.get(handKey(ended.job, ended.task)) : slot.frame.splice(place, 1)[0];
  const isWanted = place === -1 ? hand?.state.name === "storing" && isOf(hand, ended) : hand?.state.name === "frame";
  if (isWanted) return hand;
  return void state.droppedReports++;
}

function isOf(hand: HandOut, { job, task, epoch, attempt }: HandOutId): boolean {
  return hand.job.job === job && hand.task === task && hand.epoch === epoch && hand.attempt === attempt;
}

const MEAN_WEIGHT = 0.2;

function learn(state: WorkerState, job: number, tookUs: number): void {
  // Of a job that was forgotten nothing is kept.
  if (!state.jobs.has(job)) return;
  const before = state.tookUs.get(job);
  state.tookUs.set(job, before === undefined ? tookUs : before + MEAN_WEIGHT * (tookUs - before));
}

/** The time that a thread needs to start is not its first task's. */
export function onThreadUp(state: WorkerState, number: number): void {
  state.slots[number]!.begunMs = state.nowMs;
}

/**
 * The thread of a slot is gone: the task that ran is to blame, those behind it go back to the line, first again. When the
 * thread was ended on account of a task that ended by itself in the meantime, nobody is to blame.
 */
export function onThreadDied(state: WorkerState, number: number, reason: string): void {
  const slot = state.slots[number]!;
  const { killedFor } = slot;
  const isNobodysFault = killedFor !== undefined && killedFor.hand !== slot.frame[0];
  const first = isNobodysFault ? undefined : slot.frame[0];
  const rest = isNobodysFault ? slot.frame : slot.frame.slice(1);
  slot.frame = [];
  slot.killedFor = undefined;
  const wanted = rest.filter((hand) => hand.state.name !== "dropped");
  for (const hand of wanted) hand.state = { name: "line" };
  state.line.unshift(...wanted);
  if (first === undefined || first.state.name === "dropped") return;
  const { job, task, epoch, attempt } = first;
  const code = killedFor?.code ?? "PE_THREAD_DIED";
  // Of a death the scheduler tells when there were too many, and then it names the task.
  const message = killedFor ? `Task ${task} of "${job.id}" failed: ${killedFor.reason}` : `its thread died: ${reason}`;
  const failed = {
    job: job.job,
    task,
    epoch,
    attempt,
    code,
    message,
    stack: "",
    blameless: false,
    endsJob: false,
  };
  first.state = { name: "failed", failed, died: killedFor === undefined };
  leaveValues(state, first);
  reportFailed(state, first);
}

/** Ends threads whose task runs too long, or is wanted no more. */
export function checkTimes(state: WorkerState): void {
  for (const slot of state.slots) {
    const [first] = slot.frame;
    if (first === undefined || slot.killedFor !== undefined) continue;
    const ranMs = state.nowMs - slot.begunMs;
    if (first.timeoutMs > 0 && ranMs > first.timeoutMs)
      kill(state, slot, first, "PE_TIMEOUT", `it ran longer than ${first.timeoutMs} ms`);
    else if (first.state.name === "dropped" && state.nowMs - first.state.sinceMs > DROP_GRACE_MS)
      kill(state, slot, first, "PE_DROPPED", "it was cancelled");
  }
}

function kill(state: WorkerState, slot: Slot, hand: HandOut, code: string, reason: string): void {
  slot.killedFor = { hand, code, reason };
  state.out.push({ type: "kill", slot: slot.number, reason });
}

/** A hand-out is wanted no more: what waits is forgotten, what is in a frame is ended later or ignored. */
export function drop(state: WorkerState, job: number, task: number, epoch: number, attempt: number): void {
  const hand = state.hands.get(handKey(job, task));
  if (hand?.epoch !== epoch || hand.attempt !== attempt) return;
  state.hands.delete(handKey(job, task));
  leaveValues(state, hand);
  if (hand.state.name === "done" && hand.state.done.held !== undefined) loseOwn(state, hand);
  if (hand.state.name === "line") state.line = state.line.filter((other) => other !== hand);
  if (hand.state.name === "frame") hand.state = { name: "dropped", slot: hand.state.slot, sinceMs: state.nowMs };
}
