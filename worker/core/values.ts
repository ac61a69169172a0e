/**
 * The values of a worker: fetched before the tasks that need them begin, kept while somebody may want them, and moved out of
 * the way when there are too many: first copies, which others have too, are forgotten, then the rest goes to the disk.
 */
import { valueKey, type ValueName } from "../../protocol/held-values.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import { TASKS_PER_MESSAGE_MAX, type schedulerToWorker } from "../../protocol/worker-link.ts";
import type { TaskDone } from "./events.ts";
import { handKey, send, type HandOut, type HeldValue, type Wanted, type WorkerState } from "./state.ts";

type Said<Name extends "free" | "keep"> = MessageOf<typeof schedulerToWorker, Name>;

/** A task computed a value. */
export function keepOwn(
  state: WorkerState,
  { job: { id }, task, epoch, attempt }: HandOut,
  done: TaskDone,
  bytes: number,
): void {
  const value = state.values.get(valueKey({ id, task })) ?? newValue({ id, task, bytes });
  if (value.bytes !== bytes) giveWay(state, value, bytes);
  const wasAwaited = value.state === "fetching";
  value.isCopy = false;
  value.isFreed = false;
  value.made = { epoch, attempt };
  state.values.set(valueKey(value), value);
  state.out.push({ type: "hold-value", name: nameOf(value), done });
  become(state, value, value.state === "spilling" ? "spilling" : "here");
  // Who waits for a copy of it has it now.
  if (wasAwaited) onHere(state, value);
  makeRoom(state);
}

/** Of a kind whose results differ from one run to the next another result counts now. */
function giveWay(state: WorkerState, value: HeldValue, bytes: number): void {
  become(state, value, "fetching");
  state.out.push({ type: "free-value", name: nameOf(value) });
  value.bytes = bytes;
}

function newValue({ id, task, bytes }: Pick<Wanted, "id" | "task" | "bytes">): HeldValue {
  return {
    id,
    task,
    bytes,
    state: "fetching",
    isCopy: true,
    made: { epoch: 0, attempt: 0 },
    users: new Set(),
    isKept: false,
    isFreed: false,
  };
}

function become(state: WorkerState, value: HeldValue, now: HeldValue["state"]): void {
  if (value.state === "here") state.hereBytes -= value.bytes;
  if (now === "here") state.hereBytes += value.bytes;
  value.state = now;
  sort(state, value);
}

function forget(state: WorkerState, value: HeldValue): void {
  state.values.delete(valueKey(value));
  become(state, value, "fetching");
}

/** Puts a value where it belongs among those that can make room; the one used last is the last to go. */
function sort({ idle }: WorkerState, value: HeldValue): void {
  idle.copies.delete(value);
  idle.others.delete(value);
  if (value.state !== "here" || value.users.size > 0) return;
  if (value.isCopy && !value.isKept) idle.copies.add(value);
  else idle.others.add(value);
}

/** A hand-out needs these values. */
export function useValues(state: WorkerState, hand: HandOut): void {
  for (const value of hand.values) {
    value.users.add(hand);
    sort(state, value);
  }
}

export function nameOf({ id, task }: ValueName): ValueName {
  return { id, task };
}

/** A value that is here or on its way; begins to fetch one that is not. */
export function want(state: WorkerState, wanted: Wanted): HeldValue {
  const known = state.values.get(valueKey(wanted));
  const value = known ?? newValue(wanted);
  value.isFreed = false;
  if (known === undefined) {
    state.values.set(valueKey(value), value);
    fetch(state, value, wanted.sources);
  } else if (known.state === "spilled") fetch(state, value, []);
  return value;
}

function fetch(state: WorkerState, value: HeldValue, sources: Wanted["sources"]): void {
  become(state, value, "fetching");
  state.out.push({ type: "fetch-value", name: nameOf(value), bytes: value.bytes, sources });
}

/** Whether all values of a hand-out are in memory. */
export function isReady({ values }: HandOut): boolean {
  return values.every(({ state }) => state === "here");
}

/** A value came: copies are offered to others, and who waited for it alone can run. */
export function onValueHere(state: WorkerState, name: ValueName): void {
  const value = state.values.get(valueKey(name));
  if (value?.state !== "fetching") return;
  become(state, value, "here");
  if (value.isCopy) sayHave(state, [value]);
  onHere(state, value);
  forgetUnused(state, value);
  makeRoom(state);
}

function onHere(state: WorkerState, { users }: HeldValue): void {
  for (const hand of users) {
    if (hand.state.name !== "fetching" || !isReady(hand)) continue;
    hand.state = { name: "line" };
    state.line.push(hand);
  }
}

/** A value could not be had: the hand-outs that wait for it are given back. */
export function onValueMissing(state: WorkerState, name: ValueName, gone: readonly string[]): void {
  const value = state.values.get(valueKey(name));
  if (value?.state !== "fetching") return;
  forget(state, value);
  // Of its own there is no other: the disk lost it.
  if (!value.isCopy) send(state, { type: "lost", id: name.id, tasks: Uint32Array.of(name.task) });
  // This worker does not have it either, whatever the scheduler thinks.
  const nobody = [state.identity.name, ...gone].slice(0, GONE_MAX);
  const what = { type: "starved", id: name.id, value: name.task, gone: nobody } as const;
  if (value.isKept) send(state, { ...what, job: 0, task: 0, epoch: 0, attempt: 0 });
  for (const hand of value.users) {
    const { job, task, epoch, attempt } = hand;
    leaveValues(state, hand);
    if (hand.state.name !== "fetching") continue;
    state.hands.delete(handKey(job.job, task));
    send(state, { ...what, job: job.job, task, epoch, attempt });
  }
}

const GONE_MAX = 16;
/** Of its room for values a worker that is paused uses so little. */
const PAUSED_DIVISOR = 4;

export function onSpilled(state: WorkerState, name: ValueName): void {
  const value = state.values.get(valueKey(name));
  if (value?.state !== "spilling") return;
  become(state, value, "spilled");
  // Somebody wanted it in the meantime.
  if (value.users.size > 0) fetch(state, value, []);
}

export function onNotSpilled(state: WorkerState, name: ValueName): void {
  const value = state.values.get(valueKey(name));
  if (value?.state !== "spilling") return;
  become(state, value, "here");
  onHere(state, value);
}

/** A hand-out needs its values no more. */
export function leaveValues(state: WorkerState, hand: HandOut): void {
  for (const value of hand.values) {
    value.users.delete(hand);
    sort(state, value);
    forgetUnused(state, value);
  }
  if (hand.values.length > 0) makeRoom(state);
}

function forgetUnused(state: WorkerState, value: HeldValue): void {
  if (value.users.size > 0 || !value.isFreed || state.values.get(valueKey(value)) !== value) return;
  forget(state, value);
  state.out.push({ type: "free-value", name: nameOf(value) });
}

/** Nobody wants these values any more. */
export function free(state: WorkerState, { id, tasks }: Said<"free">): void {
  for (const task of tasks) {
    const value = state.values.get(valueKey({ id, task }));
    if (value === undefined) continue;
    value.isFreed = true;
    forgetUnused(state, value);
  }
}

/** The scheduler wants copies here. */
export function keep(state: WorkerState, { values }: Said<"keep">): void {
  for (const wanted of values) {
    const value = want(state, wanted);
    value.isKept = true;
    sort(state, value);
    if (value.state !== "fetching") sayHave(state, [value]);
  }
}

/** Nobody stored the report of this value: it is wanted no more. */
export function loseOwn(state: WorkerState, { job: { id }, task, epoch, attempt }: HandOut): void {
  const value = state.values.get(valueKey({ id, task }));
  if (value?.made.epoch !== epoch || value.made.attempt !== attempt) return;
  value.isFreed = true;
  forgetUnused(state, value);
  send(state, { type: "lost", id, tasks: Uint32Array.of(task) });
}

/** First on a connection: the values that it has, but for those whose report says so. */
export function announceValues(state: WorkerState): void {
  const unreported = new Set<string>();
  for (const { state: now, job, task } of state.hands.values())
    if (now.name === "done") unreported.add(valueKey({ id: job.id, task }));
  const known = [...state.values].filter(([key, { state: now, isCopy, isFreed }]) => {
    if (isFreed || unreported.has(key)) return false;
    return now !== "fetching" || !isCopy;
  });
  sayValues(
    state,
    "holds",
    known.map(([, value]) => value),
  );
}

function sayHave(state: WorkerState, values: readonly HeldValue[]): void {
  sayValues(state, "have", values);
}

function sayValues(state: WorkerState, type: "holds" | "have", values: readonly HeldValue[]): void {
  const byJob = new Map<string, HeldValue[]>();
  for (const value of values) {
    const group = byJob.get(value.id);
    if (group === undefined) byJob.set(value.id, [value]);
    else group.push(value);
  }
  for (const [id, group] of byJob)
    for (let start = 0; start < group.length; start += TASKS_PER_MESSAGE_MAX) {
      const some = group.slice(start, start + TASKS_PER_MESSAGE_MAX);
      const tasks = Uint32Array.from(some, ({ task }) => task);
      send(state, { type, id, tasks, sizes: Uint32Array.from(some, ({ bytes }) => bytes) });
    }
}

/** Too much in memory: what was used longest ago goes first, copies before all others. */
export function makeRoom(state: WorkerState): void {
  const { valueBytesMax } = state.identity;
  // When memory is short for whatever reason, values are what can be moved out of the way.
  let surplus = state.hereBytes - (state.paused ? valueBytesMax / PAUSED_DIVISOR : valueBytesMax);
  if (surplus <= 0) return;
  for (const value of state.idle.copies) {
    if (surplus <= 0) return;
    surplus -= value.bytes;
    forget(state, value);
    state.out.push({ type: "free-value", name: nameOf(value) });
    send(state, { type: "lost", id: value.id, tasks: Uint32Array.of(value.task) });
  }
  for (const value of state.idle.others) {
    if (surplus <= 0) return;
    surplus -= value.bytes;
    become(state, value, "spilling");
    state.out.push({ type: "spill-value", name: nameOf(value) });
  }
}
