/**
 * The scheduler's core: `step(event, nowMs)` gives effects. Pure, synchronous, deterministic: no clock, no socket, no file, no
 * chance, so that a journal replays, a fault reproduces from a seed, and a test needs no cluster.
 */
import type { JournalRecord } from "../../protocol/journal-records.ts";
import { dispatch } from "./dispatch.ts";
import type { SchedulerEffect, SchedulerEvent } from "./events.ts";
import { RECOVERY_GRACE_MS } from "./limits.ts";
import { failDoomed } from "./lineage.ts";
import { onTick } from "./liveness.ts";
import { onWorkerClosed } from "./joining.ts";
import { onWorkerSaid } from "./reports.ts";
import { onClientClosed, onClientSaid } from "./requests.ts";
import { complete, replay, snapshot } from "./restore.ts";
import { createState, journal, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { tellMore } from "./watching.ts";

export interface SchedulerCore {
  /** Everything it knows: for status pages, checks and tests; not to be changed. */
  readonly state: SchedulerState;
  /** Enters one event. Effects are to be carried out in order. `nowMs` never goes back. */
  step(event: SchedulerEvent, nowMs: number): readonly SchedulerEffect[];
  /** Records that restore the present state, for a shorter journal. Call when everything written is durable. */
  snapshot(): Iterable<JournalRecord>;
}

export interface Recovered {
  /** All records of earlier lives, in order: those of a snapshot, then those that followed it. */
  readonly records: Iterable<JournalRecord>;
  /** Sequence number of the last of them in the journal; 0 in a new one. */
  readonly sequence: number;
  /**
   * Lowest number that this life may have. Whoever gives the seconds since 1970 here keeps the lives on different
   * journals apart, so that a worker's report to one is never taken for a hand-out of the other.
   */
  readonly epochMin?: number;
  /** How long workers of the life before have to come back before their tasks are handed out again. */
  readonly graceMs?: number;
}

/**
 * A new life of the scheduler on the records of earlier ones.
 *
 * @returns The core and the effects that begin this life: its epoch is journaled before anything else.
 */
export function createSchedulerCore(
  { records, sequence, epochMin = 1, graceMs = RECOVERY_GRACE_MS }: Recovered,
  nowMs: number,
): { core: SchedulerCore; effects: readonly SchedulerEffect[] } {
  const state = recover(records, sequence, nowMs);
  if (isRestart(state)) state.dispatchFromMs = nowMs + graceMs;
  state.epoch = Math.max(state.epoch + 1, epochMin);
  journal(state, { type: "epoch", epoch: state.epoch });
  complete(state);
  return {
    core: {
      state,
      step: (event, now) => step(state, event, now),
      snapshot: () => snapshot(state),
    },
    effects: takeEffects(state),
  };
}

function recover(records: Iterable<JournalRecord>, sequence: number, nowMs: number): SchedulerState {
  const state = createState(sequence, nowMs);
  for (const record of records) replay(state, record);
  return state;
}

/** Whether workers may be at tasks of a life before. */
function isRestart({ jobs }: SchedulerState): boolean {
  return [...jobs.values()].some(({ table }) => table.counts[TASK.queued]! + table.counts[TASK.waiting]! > 0);
}

function step(state: SchedulerState, event: SchedulerEvent, nowMs: number): readonly SchedulerEffect[] {
  state.nowMs = nowMs;
  if (state.doomed.length > 0) failDoomed(state);
  switch (event.type) {
    case "worker-said":
      onWorkerSaid(state, event.link, event.message);
      break;
    case "worker-closed":
      onWorkerClosed(state, event.link);
      break;
    case "client-said":
      onClientSaid(state, event.link, event.message);
      break;
    case "client-closed":
      onClientClosed(state, event.link);
      break;
    case "durable":
      state.durability.reach(event.sequence);
      break;
    case "tick":
      onTick(state);
      tellMore(state);
      break;
  }
  dispatch(state);
  return takeEffects(state);
}

function takeEffects(state: SchedulerState): readonly SchedulerEffect[] {
  const effects = state.out;
  state.out = [];
  return effects;
}
