/** Tasks of a batch as a request: their parameters, and where the scheduler has what they need. */
import { PeError } from "../../common/errors.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import type { AppendRequest } from "../jobs/task-batches.ts";
import type { FutureBatch } from "./batch.ts";
import { Blobs } from "./blobs.ts";
import { batchOf, Future, placeOf } from "./future.ts";
import type { Append, LooseJob } from "./loose-job.ts";
import { lostValueError } from "./result-errors.ts";
import { locate } from "./whereabouts.ts";

/** About what the request takes on the wire. */
export function appendBytes({ batch, count }: Append): number {
  return (batch?.parameters?.bytes ?? 0) + (batch?.needs.length ?? 0) * 8 + count * 4;
}

export function* placesOf({ places, count }: Append): Generator<number> {
  for (let index = 0; index < count; index++) yield places === undefined ? index : places[index]!;
}

function* needsOf(append: Append): Generator<Future> {
  const batch = append.batch!;
  if (batch.needEnds.length === 0) return;
  for (const place of placesOf(append)) yield* batch.needsOf(place);
}

/** What has to be open before the request can be made: its own job, and those of what it needs. */
export function closedJobs(append: Append): Set<LooseJob> {
  const closed = new Set<LooseJob>();
  if (append.job.number === undefined) closed.add(append.job);
  for (const need of needsOf(append)) {
    const { job, hasKeys } = batchOf(need);
    if (!hasKeys && job.number === undefined) closed.add(job);
  }
  return closed;
}

/** Needs with keys whose place is not known on this connection: their keys have to be asked about. */
export function unnamedNeeds(append: Append): Future[] {
  const inside = append.batch;
  const own = new Set(inside?.hasKeys === true ? placesOf(append) : []);
  return [...needsOf(append)].filter((need) => {
    const [batch, place] = [batchOf(need), placeOf(need)];
    if (!batch.hasKeys || (batch === inside && (batch.isPending(place) || own.has(place)))) return false;
    return !batch.where.isLost(place) && locate(batch.where, place) === undefined;
  });
}

/** Tasks of an append that can never run, and why: what they need has failed or is lost, and the scheduler does not know that. */
export function lostNeeds(append: Append): Map<number, PeError> {
  const lost = new Map<number, PeError>();
  const batch = append.batch!;
  if (batch.needEnds.length === 0) return lost;
  const own = new Set(batch.hasKeys ? placesOf(append) : []);
  for (const place of placesOf(append)) {
    const error = lostNeed(batch, place, own);
    if (error === undefined) continue;
    lost.set(place, error);
    own.delete(place);
  }
  return lost;
}

/** @param own Places that the same append names. */
function lostNeed(batch: FutureBatch, place: number, own: ReadonlySet<number>): PeError | undefined {
  for (const need of batch.needsOf(place)) {
    const [other, at] = [batchOf(need), placeOf(need)];
    const isHere = other.isFinished(at) && (other.valueBytes(at) === 0 || (other === batch && own.has(at)));
    if (other.isPending(at) || isHere || locate(other.where, at) !== undefined) continue;
    const cause = other.isFinished(at) ? lostValueError(need.key) : other.error(at);
    const text = `Task ${need.key}, which it needs, failed: ${cause.message}`;
    return new PeError("PE_NEED_FAILED", text, { cause, details: { key: batch.key(place) } });
  }
  return undefined;
}

/** `from` is where the append's first task goes. */
export function appendRequest(append: Append, from: number): AppendRequest & { readonly job: number } {
  const { batch, job, count, places } = append;
  const { options, keys, hasKeys } = batch!;
  const chosenKeys = !hasKeys ? undefined : [...placesOf(append)].map((place) => keys[place]!);
  const base = { type: "append", job: job.number!, from, count, options } as const;
  const more = chosenKeys === undefined ? base : { ...base, keys: chosenKeys };
  if (batch!.needEnds.length > 0) return { ...more, ...withNeeds(append, from) };
  const parameters =
    places === undefined
      ? batch!.parameters!.columns()
      : Blobs.of([...places].map((place) => batch!.parameters!.at(place))).columns();
  return { ...more, parameters };
}

function withNeeds(append: Append, from: number): Pick<AppendRequest, "parameters" | "needs"> {
  const batch = append.batch!;
  const parameters = new Blobs();
  const [ends, jobs, tasks]: [number[], number[], number[]] = [[], [], []];
  const indices = new Map([...placesOf(append)].map((place, index) => [place, index]));
  const there = (need: Future): { job: number; task: number } | undefined => {
    const index = batchOf(need) === batch ? indices.get(placeOf(need)) : undefined;
    return index === undefined
      ? locate(batchOf(need).where, placeOf(need))
      : { job: append.job.number!, task: from + index };
  };
  for (const place of placesOf(append)) {
    const needs = batch.needsOf(place);
    const own = batch.parameters!.at(place);
    const known = needs.filter((need) => there(need) !== undefined);
    parameters.add(known.length === needs.length ? own : withResults(own, needs, known));
    for (const need of known) {
      const { job, task } = there(need)!;
      jobs.push(job);
      tasks.push(task);
    }
    ends.push(jobs.length);
  }
  return {
    parameters: parameters.columns(),
    needs: { ends: Uint32Array.from(ends), jobs: Uint32Array.from(jobs), tasks: Uint32Array.from(tasks) },
  };
}

/** Parameters in which the results of needs that the scheduler has lost stand themselves. */
function withResults(bytes: Uint8Array, needs: readonly Future[], known: readonly Future[]): Uint8Array {
  const value = decodeValue(
    bytes,
    needs.map((need) => (known.includes(need) ? need : batchOf(need).value(placeOf(need)))),
  );
  return encodeValue(value, (object) => (object instanceof Future ? known.indexOf(object) : undefined));
}
