/**
 * The same key is the same task. Of a batch some of whose keys are known, the known tasks are joined and the rest is a smaller
 * batch, in which needs that named a task of this very request are put right.
 */
import type { Append, BatchContent } from "./appending.ts";
import { batchOf, parametersOf, type Blobs, type Job, type Needs } from "./job.ts";
import type { SchedulerState } from "./state.ts";
import { leaseKey, splitKey } from "./worker-record.ts";

/** Of what two tasks need, compared one by one where it is not the very same tasks. */
const COMPARED_MAX = 10_000;

export interface Joining {
  /** Why it cannot be. */
  readonly conflict: string | undefined;
  /** Known tasks: `indices[i]` of the request is task `tasks[i]` of job `jobs[i]`. */
  readonly joined: { readonly indices: Uint32Array; readonly jobs: Uint32Array; readonly tasks: Uint32Array };
  readonly rest: BatchContent;
}

export function joinKnownKeys(state: SchedulerState, job: Job, message: Append): Joining {
  const { keys = [], parameters, needs, groups, options, from, count } = message;
  const known: number[] = [];
  const fresh: number[] = [];
  /** Job and task of each task of the request. */
  const jobs = new Uint32Array(count);
  const tasks = new Uint32Array(count);
  let conflict: string | undefined;
  for (const [place, key] of keys.entries()) {
    const there = state.keys.get(key);
    const named = there === undefined ? { job: job.job, task: job.table.rows + fresh.length } : splitKey(there);
    jobs[place] = named.job;
    tasks[place] = named.task;
    (there === undefined ? fresh : known).push(place);
    if (there === undefined || conflict !== undefined) continue;
    const knownJob = state.jobs.get(named.job)!;
    const needed = needs === undefined ? [] : neededBy(needs, place, job.job, from, jobs, tasks);
    if (!isSame(knownJob, named.task, job, entry(parameters, place)) || !haveSameNeeds(state, there, needed))
      conflict = `Cannot add task "${key}" to job "${job.id}": the key is known with another kind, other parameters or other needs`;
  }
  const pick = (column: Uint32Array): Uint32Array => Uint32Array.from(known, (place) => column[place]!);
  return {
    conflict,
    joined: { indices: Uint32Array.from(known), jobs: pick(jobs), tasks: pick(tasks) },
    rest: {
      count: fresh.length,
      options,
      parameters: parameters && chosenBlobs(parameters, fresh),
      keys: fresh.map((place) => keys[place]!),
      needs: needs && chosenNeeds(needs, fresh, job.job, from, jobs, tasks),
      groups: groups && chosenGroups(groups, fresh, from, job.table.rows),
    },
  };
}

function isSame(known: Job, task: number, { kind, version, common }: Job, parameters: Uint8Array): boolean {
  return (
    known.kind === kind &&
    known.version === version &&
    equal(known.common, common) &&
    equal(parametersOf(batchOf(known, task), task), parameters)
  );
}

/**
 * Whether a known task needs those: the very same tasks, or such as compute the same, because two clients that submit one
 * graph have tasks of their own where they give no keys.
 */
function haveSameNeeds(state: SchedulerState, known: number, needed: readonly number[]): boolean {
  const compared = new Set<string>();
  const open: (readonly [readonly number[], readonly number[]])[] = [[needsOf(state, known), needed]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [left, right] = pair;
    if (left.length !== right.length) return false;
    for (const [place, one] of left.entries()) {
      const other = right[place]!;
      const name = `${one} ${other}`;
      if (one === other || compared.has(name)) continue;
      if (compared.size >= COMPARED_MAX || !computeSame(state, one, other)) return false;
      compared.add(name);
      open.push([needsOf(state, one), needsOf(state, other)]);
    }
  }
  return true;
}

/** What a task needs, as lease keys. */
function needsOf(state: SchedulerState, key: number): number[] {
  const { job: number, task } = splitKey(key);
  const { needs, start } = batchOf(state.jobs.get(number)!, task);
  if (needs === undefined) return [];
  const [first, last] = [task === start ? 0 : needs.ends[task - start - 1]!, needs.ends[task - start]!];
  return Array.from({ length: last - first }, (_, k) => leaseKey(needs.jobs[first + k]!, needs.tasks[first + k]!));
}

/** Apart from what they need. A task that was released, or is only now added, is no other's equal. */
function computeSame(state: SchedulerState, one: number, other: number): boolean {
  const [left, right] = [splitKey(one), splitKey(other)];
  const [known, job] = [state.jobs.get(left.job), state.jobs.get(right.job)];
  if (known === undefined || job === undefined || left.task >= known.table.rows || right.task >= job.table.rows)
    return false;
  return isSame(known, left.task, job, parametersOf(batchOf(job, right.task), right.task));
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, place) => byte === b[place]);
}

const NONE = new Uint8Array(0);

function entry(blobs: Blobs | undefined, place: number): Uint8Array {
  if (blobs === undefined) return NONE;
  return blobs.values.subarray(place === 0 ? 0 : blobs.ends[place - 1], blobs.ends[place]);
}

function chosenBlobs(blobs: Blobs, places: readonly number[]): Blobs {
  const entries = places.map((place) => entry(blobs, place));
  let bytes = 0;
  const ends = Uint32Array.from(entries, (one) => (bytes += one.byteLength));
  const values = new Uint8Array(bytes);
  for (const [index, one] of entries.entries()) values.set(one, index === 0 ? 0 : ends[index - 1]);
  return { ends, values };
}

/** What the task at a place of the request needs, as lease keys; tasks of the request itself by what they have become. */
function neededBy(
  needs: Needs,
  place: number,
  own: number,
  from: number,
  jobsOf: Uint32Array,
  tasksOf: Uint32Array,
): number[] {
  const needed: number[] = [];
  for (let k = place === 0 ? 0 : needs.ends[place - 1]!; k < needs.ends[place]!; k++) {
    const inside = needs.tasks[k]! - from;
    const isInside = needs.jobs[k] === own && inside >= 0;
    needed.push(isInside ? leaseKey(jobsOf[inside]!, tasksOf[inside]!) : leaseKey(needs.jobs[k]!, needs.tasks[k]!));
  }
  return needed;
}

function chosenNeeds(
  needs: Needs,
  places: readonly number[],
  own: number,
  from: number,
  jobsOf: Uint32Array,
  tasksOf: Uint32Array,
): Needs {
  const [ends, jobs, tasks]: number[][] = [[], [], []];
  for (const place of places) {
    for (const needed of neededBy(needs, place, own, from, jobsOf, tasksOf)) {
      const { job, task } = splitKey(needed);
      jobs!.push(job);
      tasks!.push(task);
    }
    ends!.push(jobs!.length);
  }
  return { ends: Uint32Array.from(ends!), jobs: Uint32Array.from(jobs!), tasks: Uint32Array.from(tasks!) };
}

/** A group starts at its first task that is left. */
function chosenGroups(groups: Uint32Array, places: readonly number[], from: number, start: number): Uint32Array {
  const chosen = new Set<number>();
  for (const group of groups) {
    const index = places.findIndex((place) => place >= group - from);
    if (index !== -1) chosen.add(start + index);
  }
  return Uint32Array.from(chosen);
}
