/**
 * Tasks of a group like to stay on one worker, which has their input at hand; and a group with a label goes to the worker that had
 * the last group of that label, in this job or another: it may have the input still.
 */
import { estimateOf, type Batch } from "./job.ts";
import { LABELS_MAX } from "./limits.ts";
import type { SchedulerState } from "./state.ts";
import { fits, mayGet, type WorkerRecord } from "./worker-record.ts";

type Segment = Batch["fresh"][number];

/** With less work than this before it, per slot, a worker keeps its labelled groups: reading their input elsewhere takes as long. */
const KEPT_US = 200_000;

/** The tasks of a new batch, none handed out: what the labels know a worker for is its own. */
export function segmentsOf(
  { labels: known, workers }: SchedulerState,
  start: number,
  stop: number,
  groups: Uint32Array | undefined,
  labels: Uint32Array | undefined,
): Segment[] {
  const whole = { start, stop, owner: undefined };
  if (groups === undefined || labels === undefined || known.size === 0) return [whole];
  const links = new Map(Array.from(workers.values(), ({ name, link }) => [name, link]));
  const segments: Segment[] = [];
  for (const [place, first] of groups.entries()) {
    const owner = links.get(known.get(labels[place]!) ?? "");
    const last = segments.at(-1);
    const end = groups[place + 1] ?? stop;
    if (last !== undefined && owner === undefined && last.owner === undefined) last.stop = end;
    else segments.push({ start: place === 0 ? start : first, stop: end, owner });
  }
  return segments.length === 0 ? [whole] : segments;
}

/** A worker begins a group: its label is the worker's from now on. */
export function noteLabel(
  { labels: known }: SchedulerState,
  { groups, labels }: Batch,
  task: number,
  { name }: WorkerRecord,
): void {
  if (groups === undefined || labels === undefined) return;
  const place = groupAfter(groups, task - 1);
  if (groups[place] !== task) return;
  const label = labels[place]!;
  known.delete(label);
  known.set(label, name);
  if (known.size > LABELS_MAX) known.delete(known.keys().next().value!);
}

/** Where a worker goes on: in what is its own, else where nobody has begun, else in what another has. */
export function pickSegment(state: SchedulerState, batch: Batch, worker: WorkerRecord): Segment | undefined {
  const { fresh, groups } = batch;
  if (groups === undefined) return fresh[0];
  const own = fresh.find(({ owner }) => owner === worker.link) ?? fresh.find(({ owner }) => owner === undefined);
  if (own !== undefined) return own;
  for (const [place, segment] of fresh.entries()) {
    const next = groups[groupAfter(groups, segment.start)];
    if (next === undefined || next >= segment.stop) continue;
    const rest = { start: next, stop: segment.stop, owner: undefined };
    segment.stop = next;
    fresh.splice(place + 1, 0, rest);
    return rest;
  }
  return batch.labels === undefined ? fresh[0] : fresh.find(({ owner }) => !keeps(state, batch, owner!));
}

/** Whether a worker will come to its own groups soon enough. */
function keeps(state: SchedulerState, batch: Batch, link: number): boolean {
  const owner = state.workers.get(link);
  if (owner === undefined || !mayGet(owner) || owner.alone || !fits(owner, batch)) return false;
  let tasks = 0;
  for (const { start, stop, owner: other } of batch.fresh) if (other === link) tasks += stop - start;
  return isWorthWaiting(state, owner, batch, tasks);
}

/** Whether a worker will have begun what it holds, and so many tasks of a labelled batch more, before others have their input. */
export function isWorthWaiting({ nowMs }: SchedulerState, worker: WorkerRecord, batch: Batch, tasks = 0): boolean {
  const tookUs = estimateOf(batch);
  // Of unknown length: they may be short, for a while.
  if (tookUs === undefined) return (nowMs - worker.fedMs) * 1000 < KEPT_US;
  return worker.outstandingUs + tasks * tookUs < worker.slots * KEPT_US;
}

export function startsGroup({ groups }: Batch, task: number): boolean {
  return groups === undefined || groups[groupAfter(groups, task - 1)] === task;
}

/** Place of the first group that starts after `task`. */
function groupAfter(groups: Uint32Array, task: number): number {
  let [low, high] = [0, groups.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (groups[middle]! > task) high = middle;
    else low = middle + 1;
  }
  return low;
}
