/**
 * The tasks of one job as columns: some twenty bytes a task, no object each. What only some jobs need (dependencies) is a
 * column that is made when the first one comes.
 */
import { assert } from "../../common/assert.ts";
import { BytesArena } from "./bytes-arena.ts";
import { mayFollow, TASK_STATES, type TaskState } from "./task-state.ts";

const ROWS_MIN = 16;
const NO_EDGE = -1;

export class TaskTable {
  #rows = 0;
  #state = new Uint8Array(ROWS_MIN);
  /** Hand-outs in this life of the scheduler. */
  #attempt = new Uint32Array(ROWS_MIN);
  /** Errors of the task itself so far. */
  #fails = new Uint16Array(ROWS_MIN);
  /** Deaths under it so far. */
  #deaths = new Uint8Array(ROWS_MIN);
  /** Worker that has the lease of a task in processing. */
  #owner = new Uint32Array(ROWS_MIN);
  /** 1 when its end (finished, erred, cancelled) is durable: from then on anyone may be told. */
  #settled = new Uint8Array(ROWS_MIN);
  #settledRows = 0;
  #resultPlace = new Float64Array(0);
  #resultBytes = new Uint32Array(0);
  #results = new BytesArena();
  #resultsBytes = 0;
  /** Unfinished needs of each task; empty until a task has one. */
  #waitsFor = new Uint32Array(0);
  /** First of the linked edges to tasks that need this one, or -1. */
  #firstEdge = new Int32Array(0);
  /** Needs of other tasks that name this one and whose end is not durable yet; empty until a task is needed. */
  #claims = new Uint32Array(0);
  /** Bytes of results that are values; empty until a task has one. */
  #valueBytes = new Uint32Array(0);
  readonly counts = new Uint32Array(TASK_STATES.length);

  get rows(): number {
    return this.#rows;
  }

  /** Adds tasks in one state. @returns Index of the first. */
  add(count: number, state: TaskState): number {
    const first = this.#rows;
    this.#rows += count;
    if (this.#rows > this.#state.length) this.#grow(Math.max(this.#rows, 2 * this.#state.length));
    this.#state.fill(state, first, this.#rows);
    this.counts[state] = this.counts[state]! + count;
    return first;
  }

  state(task: number): TaskState {
    assert(task < this.#rows, () => `task ${task} of ${this.#rows}`);
    return this.#state[task]! as TaskState;
  }

  move(task: number, to: TaskState): void {
    const from = this.state(task);
    assert(mayFollow(from, to), () => `task ${task} cannot go from ${TASK_STATES[from]} to ${TASK_STATES[to]}`);
    this.#state[task] = to;
    this.counts[from] = this.counts[from]! - 1;
    this.counts[to] = this.counts[to]! + 1;
  }

  attempt(task: number): number {
    return this.#attempt[task]!;
  }

  nextAttempt(task: number): number {
    return (this.#attempt[task] = this.#attempt[task]! + 1);
  }

  fails(task: number): number {
    return this.#fails[task]!;
  }

  setFails(task: number, fails: number): void {
    this.#fails[task] = fails;
  }

  deaths(task: number): number {
    return this.#deaths[task]!;
  }

  setDeaths(task: number, deaths: number): void {
    this.#deaths[task] = deaths;
  }

  owner(task: number): number {
    return this.#owner[task]!;
  }

  setOwner(task: number, worker: number): void {
    this.#owner[task] = worker;
  }

  /** Number of tasks whose end is durable. */
  get settledRows(): number {
    return this.#settledRows;
  }

  isSettled(task: number): boolean {
    return this.#settled[task] === 1;
  }

  /** A copy of what `isSettled` says of each task: 1 or 0. */
  settledNow(): Uint8Array {
    return this.#settled.slice(0, this.#rows);
  }

  setSettled(task: number, settled: boolean): void {
    if (this.isSettled(task) === settled) return;
    this.#settled[task] = settled ? 1 : 0;
    this.#settledRows += settled ? 1 : -1;
  }

  /** Copies `bytes[start:end]`. */
  setResult(task: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#resultBytes.length < this.#state.length) {
      this.#resultPlace = grown(this.#resultPlace, new Float64Array(this.#state.length));
      this.#resultBytes = grown(this.#resultBytes, new Uint32Array(this.#state.length));
    }
    this.#resultPlace[task] = this.#results.put(bytes, start, end);
    this.#resultBytes[task] = end - start;
    this.#resultsBytes += end - start;
  }

  /** Of all results together. */
  get resultsBytes(): number {
    return this.#resultsBytes;
  }

  /** Of a finished task; shared memory. */
  result(task: number): Uint8Array {
    return this.#results.get(this.#resultPlace[task] ?? 0, this.#resultBytes[task] ?? 0);
  }

  resultLength(task: number): number {
    return this.#resultBytes[task] ?? 0;
  }

  /** Costs less than a view of it. */
  copyResult(task: number, into: Uint8Array, at: number): void {
    this.#results.copyTo(this.#resultPlace[task] ?? 0, this.resultLength(task), into, at);
  }

  waitsFor(task: number): number {
    return this.#waitsFor[task] ?? 0;
  }

  setWaitsFor(task: number, needs: number): void {
    if (this.#waitsFor.length < this.#state.length)
      this.#waitsFor = grown(this.#waitsFor, new Uint32Array(this.#state.length));
    this.#waitsFor[task] = needs;
  }

  /** How often unended tasks need this one. */
  claims(task: number): number {
    return this.#claims[task] ?? 0;
  }

  addClaims(task: number, more: number): number {
    if (this.#claims.length < this.#state.length)
      this.#claims = grown(this.#claims, new Uint32Array(this.#state.length));
    return (this.#claims[task] = this.#claims[task]! + more);
  }

  /** Of the result of a finished task; 0 where it is no value. */
  valueBytes(task: number): number {
    return this.#valueBytes[task] ?? 0;
  }

  setValueBytes(task: number, bytes: number): void {
    if (bytes === 0 && this.#valueBytes.length === 0) return;
    if (this.#valueBytes.length < this.#state.length)
      this.#valueBytes = grown(this.#valueBytes, new Uint32Array(this.#state.length));
    this.#valueBytes[task] = bytes;
  }

  /** Whether a result ever was a value. */
  get mayHaveValues(): boolean {
    return this.#valueBytes.length > 0;
  }

  firstEdge(task: number): number {
    return this.#firstEdge[task] ?? NO_EDGE;
  }

  setFirstEdge(task: number, edge: number): void {
    const before = this.#firstEdge.length;
    if (before < this.#state.length) {
      this.#firstEdge = grown(this.#firstEdge, new Int32Array(this.#state.length));
      this.#firstEdge.fill(NO_EDGE, before);
    }
    this.#firstEdge[task] = edge;
  }

  #grow(rows: number): void {
    this.#state = grown(this.#state, new Uint8Array(rows));
    this.#attempt = grown(this.#attempt, new Uint32Array(rows));
    this.#fails = grown(this.#fails, new Uint16Array(rows));
    this.#settled = grown(this.#settled, new Uint8Array(rows));
    this.#owner = grown(this.#owner, new Uint32Array(rows));
    this.#deaths = grown(this.#deaths, new Uint8Array(rows));
  }
}

function grown<Column extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(
  old: Column,
  larger: Column,
): Column {
  larger.set(old);
  return larger;
}
