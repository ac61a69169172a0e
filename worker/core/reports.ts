/** What the worker says: results, failures, what it holds. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler } from "../../protocol/worker-link.ts";
import { REPORT_BYTES_MAX, REPORT_TASKS_MAX } from "./limits.ts";
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
  let end = 0;
  const ends = Uint32Array.from(hands, (hand) => {
    results.set(resultOf(hand), end);
    return (end += resultOf(hand).byteLength);
  });
  const took = Uint32Array.from(hands, ({ state }) => (state.name === "done" ? Math.round(state.done.tookUs) : 0));
  return { type: "done", job: hands[0]!.job.job, ...columnsOf(hands), took, ends, results };
}

function resultOf({ state }: HandOut): Uint8Array {
  return state.name === "done" ? state.done.result : NONE;
}

const NONE = new Uint8Array(0);

export function reportFailed(state: WorkerState, { job, task, epoch, attempt, state: now }: HandOut): void {
  if (now.name !== "failed") return;
  const { code, message, stack, blameless } = now.failed;
  send(state, { type: "failed", job: job.job, task, epoch, attempt, code, message, stack, died: now.died, blameless });
}

/** First on a connection: who this is and what it still has; then all reports that were not stored. */
export function introduce(state: WorkerState): void {
  const { protocol, software, name, instance, slots, kinds, resources } = state.identity;
  const hands = [...state.hands.values()].filter((hand) => hand.state.name !== "dropped");
  send(state, {
    type: "register",
    protocol,
    software,
    name,
    instance,
    slots,
    kinds: [...kinds],
    resources: [...resources],
    holds: hands.length > 0,
  });
  const groups = byJob(hands).flatMap((group) => pieces(group));
  for (const [place, group] of groups.entries()) {
    const { job, id } = group[0]!.job;
    send(state, { type: "held", job, id, ...columnsOf(group), last: place === groups.length - 1 });
  }
  reportDone(
    state,
    hands.filter((hand) => hand.state.name === "done"),
  );
  for (const hand of hands) reportFailed(state, hand);
}

/** Renews the leases of all hand-outs. */
export function heartbeat(state: WorkerState): void {
  const hands = [...state.hands.values()].filter((hand) => hand.state.name !== "dropped");
  const { paused, rssBytes } = state;
  // A message names a limited number; a worker that holds more says several.
  for (const group of hands.length === 0 ? [[]] : pieces(hands))
    send(state, {
      type: "heartbeat",
      jobs: Uint32Array.from(group, ({ job }) => job.job),
      tasks: Uint32Array.from(group, ({ task }) => task),
      attempts: Uint32Array.from(group, ({ attempt }) => attempt),
      paused,
      rssBytes,
    });
}

/** Gives hand-outs back unbegun. */
export function giveBack(state: WorkerState, hands: readonly HandOut[]): void {
  for (const group of byJob(hands).flatMap((sameJob) => pieces(sameJob)))
    send(state, {
      type: "returned",
      job: group[0]!.job.job,
      tasks: Uint32Array.from(group, ({ task }) => task),
      attempts: Uint32Array.from(group, ({ attempt }) => attempt),
    });
}

function columnsOf(hands: readonly HandOut[]): { tasks: Uint32Array; epochs: Uint32Array; attempts: Uint32Array } {
  return {
    tasks: Uint32Array.from(hands, ({ task }) => task),
    epochs: Uint32Array.from(hands, ({ epoch }) => epoch),
    attempts: Uint32Array.from(hands, ({ attempt }) => attempt),
  };
}

function byJob(hands: readonly HandOut[]): HandOut[][] {
  const groups = new Map<number, HandOut[]>();
  for (const hand of hands) {
    const group = groups.get(hand.job.job);
    if (group === undefined) groups.set(hand.job.job, [hand]);
    else group.push(hand);
  }
  return [...groups.values()];
}

function pieces(hands: readonly HandOut[]): HandOut[][] {
  const parts: HandOut[][] = [];
  for (let start = 0; start < hands.length; start += REPORT_TASKS_MAX)
    parts.push(hands.slice(start, start + REPORT_TASKS_MAX));
  return parts;
}
