/** What the worker says: results, failures, what it holds. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler } from "../../protocol/worker-link.ts";
import { fitting } from "../../protocol/fitting.ts";
import { CODE_LENGTH_MAX, MESSAGE_LENGTH_MAX } from "../../protocol/worker-link.ts";
import { REPORT_BYTES_MAX, REPORT_TASKS_MAX } from "./limits.ts";
import { announceValues } from "./values.ts";
import { send, type HandOut, type WorkerState } from "./state.ts";

/** Reports results, in as few messages as the limits allow. */
export function reportDone(state: WorkerState, hands: readonly HandOut[]): void {
  for (const group of byJob(hands)) {
    for (let start = 0; start < group.length;) {
      let [stop, bytes] = [start, 0];
      while (stop < group.length && stop - start < REPORT_TASKS_MAX && (stop === start || bytes < REPORT_BYTES_MAX))
        bytes += resultOf(group[stop++]!).byteLength;
      send(state, doneMessage(group.slice(start, stop), bytes));
      start = stop;
    }
  }
}

function doneMessage(hands: readonly HandOut[], bytes: number): MessageOf<typeof workerToScheduler, "done"> {
  const results = new Uint8Array(bytes);
  const ends = new Uint32Array(hands.length);
  let end = 0;
  for (const [place, hand] of hands.entries()) {
    results.set(resultOf(hand), end);
    ends[place] = end += resultOf(hand).byteLength;
  }
  const took = column(hands, ({ state }) => (state.name === "done" ? Math.round(state.done.tookUs) : 0));
  const isAnyValue = hands.some((hand) => valueBytesOf(hand) > 0);
  const sizes = isAnyValue ? { sizes: column(hands, valueBytesOf) } : undefined;
  return { type: "done", job: hands[0]!.job.job, ...columnsOf(hands), took, ends, results, ...sizes };
}

function resultOf({ state }: HandOut): Uint8Array {
  return state.name === "done" ? state.done.result : NONE;
}

function valueBytesOf({ state }: HandOut): number {
  return state.name === "done" ? (state.done.held?.bytes ?? 0) : 0;
}

const NONE = new Uint8Array(0);
const NO_TASKS = new Uint32Array(0);
/** Ends what a worker says of values when it has no hand-outs. */
const NOTHING_HELD = {
  type: "held",
  job: 0,
  id: "",
  tasks: NO_TASKS,
  epochs: NO_TASKS,
  attempts: NO_TASKS,
  last: true,
} as const;

export function reportFailed(state: WorkerState, { job, task, epoch, attempt, state: now }: HandOut): void {
  if (now.name !== "failed") return;
  const { code, message, stack, blameless, endsJob } = now.failed;
  send(state, {
    type: "failed",
    job: job.job,
    task,
    epoch,
    attempt,
    code: fitting(code, CODE_LENGTH_MAX),
    message: fitting(message, MESSAGE_LENGTH_MAX),
    stack: fitting(stack, MESSAGE_LENGTH_MAX),
    died: now.died,
    blameless,
    endsJob,
  });
}

/** First on a connection: who this is and what it still has; then all reports that were not stored. */
export function introduce(state: WorkerState): void {
  const { protocol, software, name, instance, slots, kinds, resources, serving, lastDeath } = state.identity;
  const hands = [...state.hands.values()];
  send(state, {
    type: "register",
    protocol,
    software,
    name,
    instance,
    slots,
    kinds: [...kinds],
    resources: [...resources],
    holds: hands.length > 0 || state.values.size > 0,
    ...(serving !== undefined && { serving }),
    ...(lastDeath !== undefined && { lastDeath }),
  });
  announceValues(state);
  const groups = byJob(hands).flatMap((group) => pieces(group));
  for (const [place, group] of groups.entries()) {
    const { job, id } = group[0]!.job;
    send(state, { type: "held", job, id, ...columnsOf(group), last: place === groups.length - 1 });
  }
  if (groups.length === 0 && state.values.size > 0) send(state, NOTHING_HELD);
  reportDone(
    state,
    hands.filter((hand) => hand.state.name === "done"),
  );
  for (const hand of hands) reportFailed(state, hand);
}

/** Renews the leases of all hand-outs. */
export function heartbeat(state: WorkerState): void {
  if (!state.connected) return;
  const { paused, rssBytes } = state;
  // A message names a limited number; a worker that holds more says several.
  for (const group of state.hands.size === 0 ? [[]] : pieces([...state.hands.values()])) {
    const { tasks, attempts } = columnsOf(group);
    send(state, { type: "heartbeat", jobs: column(group, ({ job }) => job.job), tasks, attempts, paused, rssBytes });
  }
}

/** Gives hand-outs back unbegun. */
export function giveBack(state: WorkerState, hands: readonly HandOut[]): void {
  for (const group of byJob(hands).flatMap((sameJob) => pieces(sameJob))) {
    const { tasks, attempts } = columnsOf(group);
    send(state, { type: "returned", job: group[0]!.job.job, tasks, attempts });
  }
}

function columnsOf(hands: readonly HandOut[]): { tasks: Uint32Array; epochs: Uint32Array; attempts: Uint32Array } {
  return {
    tasks: column(hands, ({ task }) => task),
    epochs: column(hands, ({ epoch }) => epoch),
    attempts: column(hands, ({ attempt }) => attempt),
  };
}

/** `Uint32Array.from` with a function costs ten times as much. */
function column(hands: readonly HandOut[], read: (hand: HandOut) => number): Uint32Array {
  const values = new Uint32Array(hands.length);
  for (let place = 0; place < hands.length; place++) values[place] = read(hands[place]!);
  return values;
}

/** A scheduler that lost its journal gives a number to another job: what is held of the one before is a group of its own. */
function byJob(hands: readonly HandOut[]): HandOut[][] {
  const groups: HandOut[][] = [];
  const last = new Map<number, HandOut[]>();
  for (const hand of hands) {
    const { job, id } = hand.job;
    let group = last.get(job);
    if (group?.[0]!.job.id !== id) {
      last.set(job, (group = []));
      groups.push(group);
    }
    group.push(hand);
  }
  return groups;
}

function pieces(hands: readonly HandOut[]): HandOut[][] {
  const parts: HandOut[][] = [];
  for (let start = 0; start < hands.length; start += REPORT_TASKS_MAX)
    parts.push(hands.slice(start, start + REPORT_TASKS_MAX));
  return parts;
}
