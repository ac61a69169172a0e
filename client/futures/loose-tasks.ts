/**
 * Tasks that are submitted one by one or as a map: what comes within one turn of the event loop goes as one batch for each kind
 * and set of options.
 */
import { createHash, randomBytes } from "node:crypto";
import { PeError } from "../../common/errors.ts";
import { BATCH_TASKS_MAX, KEY_LENGTH_MAX } from "../../protocol/client-link.ts";
import { packValue } from "../../protocol/values.ts";
import { encodeJobCommon } from "../../tasks/job-common.ts";
import { refuseLarge, TASK_BYTES_MAX } from "../limits.ts";
import type { SchedulerSession } from "../session/session.ts";
import type { ValueFetcher } from "../values/value-fetcher.ts";
import { wireOptions, type TaskOptions, type WireOptions } from "../task-options.ts";
import { FutureBatch, type FutureOwner } from "./batch.ts";
import { assertHeld, batchOf, Future, placeOf } from "./future.ts";
import { LooseJob, type Lane } from "./loose-job.ts";
import { Outbox } from "./outbox.ts";
import type { TaskOnLink } from "./seeking.ts";
import { locate, type Whereabouts } from "./whereabouts.ts";

/** How the tasks of one call are sent. */
interface Way {
  readonly lane: Lane;
  readonly laneName: string;
  readonly options: WireOptions;
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  /** The job that they have to be in; any of the lane by default. */
  readonly job?: LooseJob;
}

/** A job that stays at the scheduler until it is left: parts are stored for tasks that are still to come. */
export interface KeptJob {
  readonly id: string;
  submit(parameters: unknown, options: TaskOptions): Future;
  leave(): void;
}

interface Gathering {
  readonly batch: FutureBatch;
  bytes: number;
}

/** A batch is closed at this size, far below that of a frame. */
const BATCH_BYTES_GOOD = 512 << 10;
const BYTES_PER_NEED = 8;
/** UTF-8 of a UTF-16 unit at most. */
const BYTES_PER_CHARACTER = 3;
const NO_BYTES = new Uint8Array(0);

export class LooseTasks implements FutureOwner {
  readonly #session: SchedulerSession;
  readonly #versionOf: (kind: string, version: string | undefined) => string;
  readonly #values: ValueFetcher;
  readonly #outbox = new Outbox();
  readonly #name = `session-${randomBytes(6).toString("hex")}`;
  /** The job that takes the next tasks of a lane. */
  readonly #jobs = new Map<string, LooseJob>();
  /** Batches that this turn fills. */
  readonly #open = new Map<string, Gathering>();
  readonly #closed: FutureBatch[] = [];
  /** Results that this turn let go of. */
  #letGo = new Map<Whereabouts, number[]>();
  /** What each key of this client stands for, while somebody has the future. */
  readonly #keys = new Map<string, { readonly batch: WeakRef<FutureBatch>; readonly place: number }>();
  readonly #forgotten = new FinalizationRegistry<{ where: Whereabouts; keys: readonly string[] }>((held) =>
    this.#forget(held.where, held.keys),
  );
  #order = 0;
  #jobCount = 0;
  #isScheduled = false;

  constructor(
    session: SchedulerSession,
    versionOf: (kind: string, version: string | undefined) => string,
    values: ValueFetcher,
  ) {
    this.#session = session;
    this.#versionOf = versionOf;
    this.#values = values;
    session.onLink((link) => this.#outbox.connected(link));
    session.onEnd((error) => this.#outbox.fail(error));
  }

  submit(kind: string, parameters: unknown, options: TaskOptions | undefined): Future {
    return this.#add(this.#wayOf(kind, options), parameters, options?.key);
  }

  map(kind: string, parameters: Iterable<unknown>, options: TaskOptions | undefined): Future[] {
    if (options?.key !== undefined)
      throw new PeError("PE_PARAMETER", "Cannot map with a key: a key names one task; submit each task with its own");
    const way = this.#wayOf(kind, options);
    const futures: Future[] = [];
    for (const one of parameters) futures.push(this.#add(way, one, undefined));
    return futures;
  }

  /**
   * @param common Encoded, with the store of parts.
   * @throws {PeError} `PE_KIND`, or why the scheduler does not have the job.
   */
  async keepJob(kind: string, common: Uint8Array): Promise<KeptJob> {
    const way = (options: TaskOptions): Way => this.#wayOf(kind, options, common);
    const job = this.#jobFor(way({ key: "any" }));
    job.keepers++;
    const leave = (): void => {
      job.keepers--;
      this.#leave(job);
    };
    try {
      await this.#outbox.open(job);
    } catch (error) {
      leave();
      throw error;
    }
    return {
      id: job.id,
      submit: (parameters, options) => this.#add({ ...way(options), job }, parameters, options.key),
      leave,
    };
  }

  cancel(futures: readonly Future[]): void {
    this.#command("cancel", futures.filter(isPending));
  }

  retry(futures: readonly Future[]): void {
    const again: Future[] = [];
    for (const future of futures) this.#putBack(future, again);
    this.#command("retry", again);
  }

  async story(future: Future): Promise<string[]> {
    this.close();
    const [batch, place] = [batchOf(future), placeOf(future)];
    return await this.#session.run(async (link) => {
      const there = locate(batch.where, place);
      if (there === undefined) return [];
      return [...(await link.ask({ type: "story", job: there.job, task: there.task })).lines];
    });
  }

  hold(batch: FutureBatch): void {
    for (const append of batch.appends()) append.batch = batch;
  }

  async fetch(batch: FutureBatch, place: number): Promise<unknown> {
    const future = new Future(batch, place);
    return await this.#values.fetch(future.key, async () => await this.find(future));
  }

  /** Where the scheduler has a task that has not ended, or whose result is a value that this client wants. */
  async find(future: Future): Promise<TaskOnLink> {
    this.close();
    return await this.#outbox.find(future);
  }

  letGo({ where }: FutureBatch, place: number): void {
    const places = this.#letGo.get(where);
    if (places === undefined) this.#letGo.set(where, [place]);
    else places.push(place);
    if (!this.#isScheduled) this.#schedule();
  }

  /** Values of these are computed again at once when they are lost. */
  persist(futures: readonly Future[]): void {
    for (const future of futures) this.#outbox.persist(batchOf(future).where, placeOf(future));
  }

  /** The client leaves. */
  abandon(): void {
    this.close();
    this.#outbox.abandon();
  }

  /** Hands over what was submitted in this turn. */
  close(): void {
    for (const { batch } of this.#open.values()) this.#closeBatch(batch);
    this.#open.clear();
    this.#handOver();
    if (this.#letGo.size === 0) return;
    const letGo = this.#letGo;
    this.#letGo = new Map();
    const order = this.#order++;
    for (const [where, places] of letGo) this.#outbox.letGo(order, where, places);
  }

  /** None that is open may be of lower order than one that is closed. */
  #handOver(): void {
    if (this.#closed.length === 0) return;
    this.#outbox.addBatches(this.#closed.splice(0).toSorted((a, b) => a.order - b.order));
  }

  #command(type: "cancel" | "retry", futures: readonly Future[]): void {
    if (futures.length === 0) return;
    this.close();
    this.#outbox.addCommand({ type, order: this.#order++, futures });
  }

  /** What a task needs is put back before it. A loop of its own: chains may be long. */
  #putBack(last: Future, again: Future[]): void {
    const stack: { future: Future; isVisited: boolean }[] = [{ future: last, isVisited: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { future, isVisited } = top;
      const [batch, place] = [batchOf(future), placeOf(future)];
      if (isVisited) {
        if (batch.putBack(place)) again.push(future);
      } else if (!batch.isPending(place) && !batch.isFinished(place)) {
        stack.push({ future, isVisited: true });
        for (const need of batch.needsOf(place)) stack.push({ future: need, isVisited: false });
      }
    }
  }

  #wayOf(kind: string, options: TaskOptions | undefined, common = commonOf(options)): Way {
    if (this.#session.end !== undefined) throw this.#session.end;
    const version = this.#versionOf(kind, options?.version);
    const hasKeys = options?.key !== undefined;
    const lane = { kind, version, common, hasKeys };
    const shared = common.byteLength === 0 ? "" : createHash("sha256").update(common).digest("base64");
    const laneName = `${kind}\n${version}\n${shared}\n${hasKeys ? "keys" : ""}`;
    const wire = wireOptions(options);
    const name = options === undefined ? laneName : `${laneName}\n${JSON.stringify(wire)}`;
    return { lane, laneName, options: wire, name, signal: options?.signal };
  }

  #add(way: Way, parameters: unknown, key: string | undefined): Future {
    way.signal?.throwIfAborted();
    const needs: Future[] = [];
    // The batch copies them.
    const bytes = packValue(parameters, (object) => (object instanceof Future ? this.#need(object, needs) : undefined));
    if (key !== undefined) {
      const known = this.#known(key, way, bytes, needs);
      if (known !== undefined) return known;
    }
    const size = bytes.byteLength + needs.length * BYTES_PER_NEED + (key?.length ?? 0) * BYTES_PER_CHARACTER;
    if (size > TASK_BYTES_MAX) throw refuseLarge(`a task of kind "${way.lane.kind}"`, size);
    const { batch } = this.#batchFor(way, size, needs);
    const place = batch.add(bytes, needs, key);
    if (key !== undefined) this.#keys.set(key, { batch: new WeakRef(batch), place });
    if (!this.#isScheduled) this.#schedule();
    return new Future(batch, place);
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.close();
    });
  }

  #need(future: Future, needs: Future[]): number {
    if (batchOf(future).owner !== this)
      throw new PeError("PE_PARAMETER", `Cannot use future ${future.key}: it is of another client; send its result`);
    assertHeld(future);
    return needs.push(future) - 1;
  }

  /** The batch of this turn that takes a task of this way and size. */
  #batchFor(way: Way, size: number, needs: readonly Future[]): Gathering {
    // Signals are few and cannot be named: tasks of each have batches of their own.
    const signal = way.signal === undefined ? "" : signalNumber(way.signal);
    const name =
      way.signal === undefined && way.job === undefined ? way.name : `${way.name}\n${signal}\n${way.job?.id ?? ""}`;
    let gathering = this.#open.get(name);
    const isFull =
      gathering !== undefined &&
      (gathering.batch.count >= BATCH_TASKS_MAX || gathering.bytes + size > BATCH_BYTES_GOOD);
    // What a task needs has to be sent before it.
    if (isFull || (gathering !== undefined && needs.some((need) => batchOf(need).order > gathering!.batch.order))) {
      this.#closeBatch(gathering!.batch);
      gathering = undefined;
      // Of a long map the scheduler has the first tasks while the others are made.
      if (this.#open.size === 1) this.#handOver();
    }
    if (gathering === undefined) {
      const batch = new FutureBatch(this, this.#jobFor(way), way.options, this.#order++, way.lane.hasKeys);
      gathering = { batch, bytes: 0 };
      this.#open.set(name, gathering);
      if (way.signal !== undefined) this.#obey(way.signal, batch);
    }
    gathering.bytes += size;
    return gathering;
  }

  #closeBatch(batch: FutureBatch): void {
    batch.seal();
    batch.first = batch.job.planned;
    batch.job.planned += batch.count;
    this.#forgotten.register(batch, { where: batch.where, keys: batch.keys });
    this.#closed.push(batch);
  }

  #jobFor({ lane, laneName, job: given }: Way): LooseJob {
    let job = given ?? this.#jobs.get(laneName);
    if (job === undefined || (job.isFull && given === undefined)) {
      job = new LooseJob(`${this.#name}-${++this.#jobCount}`, lane);
      this.#jobs.set(laneName, job);
    }
    job.batches++;
    return job;
  }

  /** Nobody has a future of a batch any more. */
  #forget(where: Whereabouts, keys: readonly string[]): void {
    for (const key of keys) if (this.#keys.get(key)?.batch.deref() === undefined) this.#keys.delete(key);
    const { job, values } = where;
    if (values.size > 0) this.#outbox.letGo(this.#order++, where, [...values]);
    for (const place of values) where.letGo(place);
    this.#leave(job);
  }

  #leave(job: LooseJob): void {
    if (--job.batches > 0 || !job.isFull) return;
    this.#outbox.release(job);
  }

  #known(key: string, { lane }: Way, bytes: Uint8Array, needs: readonly Future[]): Future | undefined {
    if (key.length === 0 || key.length > KEY_LENGTH_MAX)
      throw new PeError("PE_PARAMETER", `Cannot use a key of ${key.length} characters: 1 to ${KEY_LENGTH_MAX} are`);
    const there = this.#keys.get(key);
    const batch = there?.batch.deref();
    if (there === undefined || batch === undefined || batch.isReleased(there.place)) return undefined;
    const { kind, version, common } = batch.job;
    const known = batch.needsOf(there.place);
    const isSame =
      kind === lane.kind &&
      version === lane.version &&
      Buffer.compare(common, lane.common) === 0 &&
      Buffer.compare(batch.parameters!.at(there.place), bytes) === 0 &&
      known.length === needs.length &&
      known.every((need, at) => batchOf(need) === batchOf(needs[at]!) && placeOf(need) === placeOf(needs[at]!));
    if (isSame) {
      batch.addFuture(there.place);
      return new Future(batch, there.place);
    }
    throw new PeError(
      "PE_JOB_CONFLICT",
      `Cannot submit task "${key}": the key is known with another kind, other parameters or other needs; same key, same result`,
      { details: { key } },
    );
  }

  #obey(signal: AbortSignal, batch: FutureBatch): void {
    const whole = (): Future[] => batch.pendingPlaces().map((place) => new Future(batch, place));
    const abort = (): void => this.cancel(whole());
    const ended = (): void => {
      if (batch.unended > 0) return;
      signal.removeEventListener("abort", abort);
      batch.unwatch(ended);
    };
    signal.addEventListener("abort", abort);
    batch.watch(ended);
  }
}

function commonOf(options: TaskOptions | undefined): Uint8Array {
  return options?.common === undefined ? NO_BYTES : encodeJobCommon({ parts: null, common: options.common });
}

function isPending(future: Future): boolean {
  return batchOf(future).isPending(placeOf(future));
}

const signalNumbers = new WeakMap<AbortSignal, number>();
let signalCount = 0;

function signalNumber(signal: AbortSignal): number {
  let number = signalNumbers.get(signal);
  if (number === undefined) signalNumbers.set(signal, (number = ++signalCount));
  return number;
}
