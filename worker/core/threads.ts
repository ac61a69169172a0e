/** Which slot runs what: frames of tasks from the line, and what becomes of them. */
import { assert } from "../../common/assert.ts";
import type { TaskDone, TaskFailed } from "./events.ts";
import { DROP_GRACE_MS, FRAME_TARGET_US, FRAME_TASKS_MAX } from "./limits.ts";
import { reportDone, reportFailed } from "./reports.ts";
import { handKey, type HandOut, type Slot, type WorkerState } from "./state.ts";

/** Gives idle slots frames from the line. */
export function fillSlots(state: WorkerState): void {
  if (state.line.length === 0) return;
  const idle = state.slots.filter(({ frame, killedFor }) => frame.length === 0 && killedFor === undefined);
  for (const [place, slot] of idle.entries()) {
    if (state.line.length === 0) return;
    startFrame(state, slot, idle.length - place);
  }
}

function startFrame(state: WorkerState, slot: Slot, idleSlots: number): void {
  const { job } = state.line[0]!;
  const most = frameSize(state, job.job, Math.ceil(state.line.length / idleSlots));
  let count = 1;
  while (count < most && state.line[count]!.job === job && state.line[count]!.timeoutMs === state.line[0]!.timeoutMs)
    count++;
  slot.frame = state.line.splice(0, count);
  slot.begunMs = state.nowMs;
  for (const hand of slot.frame) hand.state = { name: "frame", slot: slot.number };
  state.out.push({
    type: "run",
    slot: slot.number,
    job: job.job,
    id: job.id,
    kind: job.kind,
    common: job.common,
    tasks: slot.frame.map(({ task, attempt, parameters, inputs }) => ({ task, attempt, parameters, inputs })),
  });
}

/** Tasks of unknown length go one at a time. */
function frameSize(state: WorkerState, job: number, share: number): number {
  const tookUs = state.tookUs.get(job);
  const fit = tookUs === undefined ? 1 : Math.floor(FRAME_TARGET_US / Math.max(tookUs, 1));
  return Math.max(1, Math.min(fit, share, FRAME_TASKS_MAX, state.line.length));
}

/** Tasks of a slot's frame ended. */
export function onEnded(
  state: WorkerState,
  number: number,
  done: readonly TaskDone[],
  failed: readonly TaskFailed[],
): void {
  const slot = state.slots[number]!;
  const reports: HandOut[] = [];
  for (const ended of done) {
    const hand = takeFromFrame(state, slot, ended);
    if (hand === undefined) continue;
    hand.state = { name: "done", done: ended };
    learn(state, ended.job, ended.tookUs);
    reports.push(hand);
  }
  reportDone(state, reports);
  for (const ended of failed) {
    const hand = takeFromFrame(state, slot, ended);
    if (hand === undefined) continue;
    hand.state = { name: "failed", failed: ended, died: false };
    reportFailed(state, hand);
  }
  slot.begunMs = state.nowMs;
}

/** The hand-out that ended, unless nobody wants it any more. */
function takeFromFrame(
  state: WorkerState,
  slot: Slot,
  { job, task, attempt }: TaskDone | TaskFailed,
): HandOut | undefined {
  const place = slot.frame.findIndex((hand) => hand.job.job === job && hand.task === task && hand.attempt === attempt);
  if (place === -1) return void state.droppedReports++;
  const [hand] = slot.frame.splice(place, 1);
  assert(hand !== undefined, "a place that was found");
  if (hand.state.name !== "dropped") return hand;
  return void state.droppedReports++;
}

const MEAN_WEIGHT = 0.2;

function learn(state: WorkerState, job: number, tookUs: number): void {
  // Of a job that was forgotten nothing is kept.
  if (!state.jobs.has(job)) return;
  const before = state.tookUs.get(job);
  state.tookUs.set(job, before === undefined ? tookUs : before + MEAN_WEIGHT * (tookUs - before));
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
  const { job, task, attempt } = first;
  const code = killedFor?.code ?? "PE_THREAD_DIED";
  // Of a death the scheduler tells when there were too many, and then it names the task.
  const message = killedFor ? `Task ${task} of "${job.id}" failed: ${killedFor.reason}` : `its thread died: ${reason}`;
  const failed = {
    job: job.job,
    task,
    attempt,
    code,
    message,
    stack: "",
    blameless: false,
    endsJob: false,
  };
  first.state = { name: "failed", failed, died: killedFor === undefined };
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
  if (hand.state.name === "line") state.line = state.line.filter((other) => other !== hand);
  if (hand.state.name === "frame") hand.state = { name: "dropped", slot: hand.state.slot, sinceMs: state.nowMs };
}
