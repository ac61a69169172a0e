/**
 * Tasks that were submitted together: columns with one entry a task. A future is a place in it. The client holds a batch while
 * one of its tasks has not ended; after that only its futures do.
 */
import { cancelledError, taskError, type ToldError } from "../session/remote-error.ts";
import type { WireOptions } from "../task-options.ts";
import { Blobs } from "./blobs.ts";
import { FetchedValues } from "./fetched-values.ts";
import type { Future } from "./future.ts";
import type { Append, LooseJob } from "./loose-job.ts";
import { releasedError } from "./result-errors.ts";
import { Results, type Finished } from "./results.ts";
import { Whereabouts } from "./whereabouts.ts";

export type FutureStatus = "pending" | "finished" | "erred" | "cancelled";

/** What futures ask of the client. */
export interface FutureOwner {
  cancel(futures: readonly Future[]): void;
  retry(futures: readonly Future[]): void;
  story(future: Future): Promise<string[]>;
  /** The value of a finished task, from who holds it. */
  fetch(batch: FutureBatch, place: number): Promise<unknown>;
  /** Nobody here wants the result of a task any more. */
  letGo(batch: FutureBatch, place: number): void;
  /** Hands over what was submitted in this turn. */
  close(): void;
  /** A batch that has unended tasks again. */
  hold(batch: FutureBatch): void;
}

type Listener = (place: number) => void;

const STATUSES: readonly FutureStatus[] = ["pending", "finished", "erred", "cancelled"];
export const PENDING = 0;
const FINISHED = 1;
const ERRED = 2;
const CANCELLED = 3;

const FIRST_CAPACITY = 4;

export class FutureBatch {
  readonly owner: FutureOwner;
  readonly options: WireOptions;
  /** Of the outbox: what a task needs is in the same batch before it, or in one of lower order. */
  readonly order: number;
  readonly where: Whereabouts;
  count = 0;
  unended = 0;
  /** Parameters; absent once nobody can need them again. */
  parameters: Blobs | undefined = new Blobs();
  keys: string[] = [];
  /** Futures whose results the tasks need: those of task `i` end at `needEnds[i]`; both empty where no task needs any. */
  needs: Future[] = [];
  needEnds: number[] = [];
  /** Number of its first task, when all goes well: what keys are made of. */
  first = 0;
  #states = new Uint8Array(FIRST_CAPACITY);
  #results: Results | undefined;
  #errors: Map<number, ToldError | Error> | undefined;
  #because: Map<number, string> | undefined;
  #listeners: Map<number, Listener[]> | undefined;
  #watchers: Set<Listener> | undefined;
  #promises: Map<number, Promise<unknown>> | undefined;
  #fetched: FetchedValues | undefined;
  /** Futures of a task beyond the first: keys that were submitted again. */
  #moreFutures: Map<number, number> | undefined;
  /** Tasks whose results no future here wants any more. */
  #released: Set<number> | undefined;

  constructor(owner: FutureOwner, job: LooseJob, options: WireOptions, order: number, hasKeys: boolean) {
    this.owner = owner;
    this.options = options;
    this.order = order;
    this.where = new Whereabouts(job, hasKeys);
  }

  get job(): LooseJob {
    return this.where.job;
  }

  get hasKeys(): boolean {
    return this.where.hasKeys;
  }

  /** @returns Its place. */
  add(parameters: Uint8Array, needs: readonly Future[], key: string | undefined): number {
    const place = this.count++;
    this.unended++;
    if (place === this.#states.length) {
      const grown = new Uint8Array(place * 2);
      grown.set(this.#states);
      this.#states = grown;
    }
    this.parameters!.add(parameters);
    if (key !== undefined) this.keys.push(key);
    if (needs.length > 0 || this.needEnds.length > 0) this.#addNeeds(place, needs);
    return place;
  }

  #addNeeds(place: number, needs: readonly Future[]): void {
    while (this.needEnds.length < place) this.needEnds.push(0);
    for (const need of needs) this.needs.push(need);
    this.needEnds.push(this.needs.length);
  }

  needsOf(place: number): readonly Future[] {
    if (this.needEnds.length === 0) return [];
    return this.needs.slice(place === 0 ? 0 : this.needEnds[place - 1], this.needEnds[place]);
  }

  /** No more tasks will come. */
  seal(): void {
    this.parameters!.trim();
    this.#states = this.#states.slice(0, this.count);
  }

  key(place: number): string {
    const key = this.keys[place];
    if (key !== undefined) return key;
    this.owner.close();
    return `${this.job.id}/${this.first + place}`;
  }

  status(place: number): FutureStatus {
    return STATUSES[this.#states[place]!]!;
  }

  isPending(place: number): boolean {
    return this.#states[place] === PENDING;
  }

  isFinished(place: number): boolean {
    return this.#states[place] === FINISHED;
  }

  /** Places of tasks that have not ended. */
  pendingPlaces(places?: Iterable<number>): number[] {
    if (places !== undefined) return [...places].filter((place) => this.isPending(place));
    const pending: number[] = [];
    for (let place = 0; place < this.count; place++) if (this.#states[place] === PENDING) pending.push(place);
    return pending;
  }

  finished(place: number, message: Finished, index: number): void {
    if (this.#states[place] !== PENDING) return;
    this.#results ??= new Results(this.count);
    this.#results.add(place, message, index);
    if (this.#results.valueBytes(place) > 0 && !this.isReleased(place)) this.where.wantValue(place, this);
    this.#end(place, FINISHED);
  }

  erred(place: number, error: ToldError | Error): void {
    if (this.#states[place] !== PENDING) return;
    (this.#errors ??= new Map()).set(place, error);
    this.#end(place, ERRED);
  }

  cancelled(place: number, because: string | undefined): void {
    if (this.#states[place] !== PENDING) return;
    if (because !== undefined) (this.#because ??= new Map()).set(place, because);
    this.#end(place, CANCELLED);
  }

  /** A failed or cancelled task is tried again. @returns Whether it was one. */
  putBack(place: number): boolean {
    if (this.#states[place] !== ERRED && this.#states[place] !== CANCELLED) return false;
    this.#errors?.delete(place);
    this.#because?.delete(place);
    this.#promises?.delete(place);
    this.#states[place] = PENDING;
    if (this.unended++ === 0) this.owner.hold(this);
    return true;
  }

  #end(place: number, state: number): void {
    this.#states[place] = state;
    if (--this.unended === 0) this.#forgetWhatIsDone();
    if (this.#listeners !== undefined) {
      const listeners = this.#listeners.get(place);
      this.#listeners.delete(place);
      for (const listener of listeners ?? []) listener(place);
    }
    if (this.#watchers !== undefined) for (const watcher of this.#watchers) watcher(place);
  }

  /** Only what may run again needs its parameters, and a key those that it stands for. */
  #forgetWhatIsDone(): void {
    for (const append of this.appends()) append.batch = undefined;
    if (this.hasKeys || this.#states.some((state) => state !== FINISHED)) return;
    this.parameters = undefined;
    this.needs = [];
    this.needEnds = [];
  }

  *appends(): Generator<Append> {
    const { home, moved } = this.where;
    if (home !== undefined) yield home;
    if (moved !== undefined) for (const { append } of moved.values()) yield append;
  }

  /** Calls back when the task has ended, at once when it has. */
  onEnd(place: number, listener: Listener): void {
    if (!this.isPending(place)) return listener(place);
    this.#listeners ??= new Map();
    const listeners = this.#listeners.get(place);
    if (listeners === undefined) this.#listeners.set(place, [listener]);
    else listeners.push(listener);
  }

  /** Calls back with each task that ends. */
  watch(watcher: Listener): void {
    (this.#watchers ??= new Set()).add(watcher);
  }

  unwatch(watcher: Listener): void {
    this.#watchers?.delete(watcher);
    if (this.#watchers?.size === 0) this.#watchers = undefined;
  }

  /** Bytes of the result of a finished task where workers hold it as a value; 0 where it is here. */
  valueBytes(place: number): number {
    return this.isFinished(place) ? this.#results!.valueBytes(place) : 0;
  }

  /** The result of a finished task that is here, decoded now. @throws {PeError} Why it has none. */
  value(place: number): unknown {
    if (!this.isFinished(place)) throw this.error(place);
    return this.#results!.decoded(place);
  }

  /** A result that workers hold, the same object while somebody has it. @throws {PeError} `PE_RELEASED`, or why it cannot be had. */
  async fetched(place: number): Promise<unknown> {
    if (this.isReleased(place)) throw releasedError(this.key(place));
    this.#fetched ??= new FetchedValues();
    return await this.#fetched.get(place, async () => await this.owner.fetch(this, place));
  }

  /** Another future of the task. */
  addFuture(place: number): void {
    this.#moreFutures ??= new Map();
    this.#moreFutures.set(place, (this.#moreFutures.get(place) ?? 0) + 1);
  }

  isReleased(place: number): boolean {
    return this.#released?.has(place) === true;
  }

  /** A future of the task is not wanted any more; with the last one its result is not. */
  release(place: number): void {
    const more = this.#moreFutures?.get(place) ?? 0;
    if (more > 0) return void this.#moreFutures!.set(place, more - 1);
    (this.#released ??= new Set()).add(place);
    this.#promises?.delete(place);
    this.where.letGo(place);
    this.owner.letGo(this, place);
  }

  error(place: number): Error {
    if (this.#states[place] === CANCELLED) return cancelledError(this.key(place), this.#because?.get(place));
    const error = this.#errors?.get(place);
    return error === undefined || error instanceof Error ? error! : taskError(error, this.key(place), this.job.kind);
  }

  async result(place: number): Promise<unknown> {
    this.#promises ??= new Map();
    let promise = this.#promises.get(place);
    if (promise === undefined) {
      const ended = new Promise<void>((done) => this.onEnd(place, () => done()));
      this.#promises.set(place, (promise = ended.then(async () => await this.#ended(place))));
    }
    return await promise;
  }

  async #ended(place: number): Promise<unknown> {
    if (this.valueBytes(place) === 0) return this.value(place);
    // A promise would keep the value, and a vain try for ever.
    this.#promises?.delete(place);
    return await this.fetched(place);
  }
}
