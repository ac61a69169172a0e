/**
 * What is to be said about loose tasks, in order, on whatever connection there is: tasks to add, to cancel, to try again. What
 * was not confirmed when a connection ended is said again on the next one; what the scheduler has lost is sent anew.
 */
import { PeError } from "../../common/errors.ts";
import { COLUMN_TASKS_MAX, UNCONFIRMED_APPENDS_MAX, UNCONFIRMED_BYTES_MAX } from "../limits.ts";
import { LinkLost, type Joined, type SchedulerLink, type Told } from "../session/link.ts";
import { appendBytes, appendRequest, closedJobs, lostNeeds, placesOf, unnamedNeeds } from "./append-request.ts";
import type { FutureBatch } from "./batch.ts";
import { batchOf, placeOf, type Future } from "./future.ts";
import { LettingGo } from "./letting-go.ts";
import { tellTasks, type Append, type LooseJob } from "./loose-job.ts";
import { NamedTasks } from "./named-tasks.ts";
import { Persisting } from "./persisting.ts";
import { Seeking, type TaskOnLink } from "./seeking.ts";
import { isUnderWay, locate, type Whereabouts } from "./whereabouts.ts";

/** Ended tasks that are tried again, or others that are not wanted any more. */
export interface Command {
  readonly type: "cancel" | "retry";
  readonly order: number;
  readonly futures: readonly Future[];
}

type Item = Append | Command;
/** `blocked`: something has to come first; `again`: the line has changed. */
type Sent = "sent" | "blocked" | "again";

const MAX_FAILS = 0xffff_ffff;

export class Outbox {
  /** Jobs whose futures somebody may still have. */
  readonly #jobs = new Set<LooseJob>();
  /** Ascending by order; those before `#next` are sent. */
  #items: Item[] = [];
  #next = 0;
  /** Sent, not confirmed. */
  readonly #commanding = new Set<Command>();
  #unsentCommands = 0;
  /** Watched once no command waits: what those put back must not be told as it was before. */
  #unwatched: { readonly number: number; readonly job: LooseJob | undefined }[] = [];
  /** Jobs that somebody waits for. */
  #awaited: { readonly job: LooseJob; readonly done: () => void; readonly fail: (error: Error) => void }[] = [];
  #named = new NamedTasks();
  readonly #lettingGo = new LettingGo();
  readonly #persisting = new Persisting();
  readonly #seeking = new Seeking();
  #listeners = new Map<number, (message: Told) => void>();
  /** The present connection. An answer of the one before may still come: it is asked for again. */
  #link: SchedulerLink | undefined;
  #unconfirmedAppends = 0;
  #unconfirmedBytes = 0;
  #end: PeError | undefined;

  /** In the order in which they may be sent. */
  addBatches(batches: readonly FutureBatch[]): void {
    for (const batch of batches) this.#items.push(this.#append(batch));
    this.#pump();
  }

  addCommand(command: Command): void {
    this.#items.push(command);
    this.#unsentCommands++;
    this.#pump();
  }

  /** Nobody here wants these results any more. */
  letGo(order: number, where: Whereabouts, places: readonly number[]): void {
    this.#lettingGo.add(order, where, places);
    this.#persisting.forget(where, places);
    this.#look();
  }

  persist(where: Whereabouts, place: number): void {
    this.#persisting.add(where, place);
  }

  /** Where the scheduler has the task of a future, as soon as it tells how it ends. @throws {PeError} `PE_VALUE_LOST` */
  async find(future: Future): Promise<TaskOnLink> {
    if (this.#end !== undefined) throw this.#end;
    const found = this.#seeking.find(future);
    this.#look();
    return await found;
  }

  /** Resolves when the scheduler has a job, which it keeps from now on. @throws {PeError} Why it has not. */
  async open(job: LooseJob): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    this.#jobs.add(job);
    if (job.number !== undefined) return;
    const opened = new Promise<void>((done, fail) => this.#awaited.push({ job, done, fail }));
    if (this.#link !== undefined) this.#open(job);
    await opened;
  }

  connected(link: SchedulerLink): void {
    this.#link = link;
    link.onLost(() => this.#disconnected());
    for (const job of this.#jobs) if (job.isWanted) this.#open(job);
    this.#pump();
  }

  /** There will be no connection any more: what has not ended never will. */
  fail(error: PeError): void {
    this.#end = error;
    const appends = this.#items.filter((item) => "count" in item);
    for (const { batch } of [...appends, ...[...this.#jobs].flatMap((job) => job.appends)])
      for (const place of batch?.pendingPlaces() ?? []) batch!.erred(place, error);
    this.#items = [];
    this.#next = 0;
    this.#seeking.fail(error);
    for (const { fail } of this.#awaited.splice(0)) fail(error);
  }

  /** Nobody has futures of this job any more: the scheduler may forget it. */
  release(job: LooseJob): void {
    this.#jobs.delete(job);
    // Refused while unfinished tasks need its results: then it ends with this client.
    if (job.number !== undefined) this.#link?.ask({ type: "release", job: job.number }).catch(() => undefined);
  }

  /** The client leaves: what only it can know is not computed any further. */
  abandon(): void {
    const own = [...this.#jobs].filter(({ hasKeys, number }) => !hasKeys && number !== undefined);
    for (const type of ["cancel", "release"] as const)
      for (const { number } of own) this.#link?.ask({ type, job: number! }).catch(() => undefined);
  }

  #pump(): void {
    if (this.#end !== undefined) return this.fail(this.#end);
    this.#sendItems();
    this.#look();
  }

  /** What waits for something to be sent, or known. */
  #look(): void {
    if (this.#link === undefined) return;
    const next = this.#items[this.#next];
    this.#lettingGo.say(this.#link, next === undefined ? Infinity : orderOf(next));
    this.#seeking.look(this.#link, (job) => this.#lettingGo.isWatched(job));
  }

  #sendItems(): void {
    for (let sent: Sent = "sent"; sent !== "blocked" && this.#next < this.#items.length;) {
      if (this.#link === undefined) return;
      const item = this.#items[this.#next]!;
      sent = "count" in item ? this.#sendAppend(this.#link, item) : this.#sendCommand(this.#link, item);
      if (sent === "sent") this.#next++;
    }
    if (this.#next < 64 || this.#next * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#next);
    this.#next = 0;
  }

  /** A place for all tasks of a batch, or for some that have lost theirs. */
  #append(batch: FutureBatch, places?: readonly number[]): Append {
    const { job } = batch;
    this.#jobs.add(job);
    const count = places?.length ?? batch.count;
    const append: Append = { job, batch, places: places && Uint32Array.from(places), count, from: 0, state: "waiting" };
    const { where } = batch;
    if (places === undefined) where.home = append;
    else for (const [index, place] of places.entries()) (where.moved ??= new Map()).set(place, { append, index });
    return append;
  }

  /** New places for all tasks of batches that have not ended. */
  #appendAnew(batches: Iterable<FutureBatch | undefined>): Append[] {
    const appends: Append[] = [];
    for (const batch of new Set(batches)) {
      if (batch === undefined) continue;
      batch.where.home = undefined;
      batch.where.moved = undefined;
      if (batch.unended > 0) appends.push(this.#append(batch, batch.pendingPlaces()));
    }
    return appends;
  }

  #open(job: LooseJob): void {
    if (job.number !== undefined || job.isOpening) return;
    job.isOpening = true;
    const { id, kind, version, common } = job;
    const link = this.#link!;
    link.ask({ type: "open", id, kind, version, common, maxFails: MAX_FAILS, transient: true }).then(
      ({ job: number, tasks }) => this.#opened(job, number, tasks, link),
      (error: Error) => this.#openFailed(job, error, link),
    );
  }

  #openFailed(job: LooseJob, error: Error, link: SchedulerLink): void {
    if (link !== this.#link) return;
    job.isOpening = false;
    for (const { fail } of this.#settleAwaited(job)) fail(error);
    const isOf = (item: Item): item is Append => "count" in item && item.job === job;
    for (const { batch } of [...job.appends, ...this.#items.slice(this.#next).filter(isOf)])
      for (const place of batch?.pendingPlaces() ?? []) batch!.erred(place, error);
    this.#line(this.#items.slice(this.#next).filter((item) => !isOf(item)));
    this.#pump();
  }

  #opened(job: LooseJob, number: number, tasks: number, link: SchedulerLink): void {
    if (link !== this.#link) return;
    // The scheduler has lost what it had confirmed: without a journal it was restarted, or this client was away for long.
    if (tasks < job.durable) {
      const lost = new Set(job.appends.map(({ batch }) => batch));
      const again = this.#appendAnew(lost);
      const rest = this.#items
        .slice(this.#next)
        .filter((item) => !("count" in item && item.job === job && lost.has(item.batch)));
      for (const append of job.appends.splice(0)) append.state = "lost";
      job.letGo.clear();
      job.losses++;
      this.#line([...again, ...rest]);
    }
    job.opened(number, tasks);
    this.#watch(number, job);
    for (const { done } of this.#settleAwaited(job)) done();
    this.#pump();
  }

  #settleAwaited(job: LooseJob) {
    const settled = this.#awaited.filter((one) => one.job === job);
    if (settled.length > 0) this.#awaited = this.#awaited.filter((one) => one.job !== job);
    return settled;
  }

  /** Tells how tasks of a job end; asked for again, all of it from the beginning. */
  #watch(number: number, job?: LooseJob): void {
    if (this.#unsentCommands > 0) return void this.#unwatched.push({ number, job });
    let listener = this.#listeners.get(number);
    if (listener === undefined) {
      const named = this.#named;
      listener =
        job === undefined || job.hasKeys
          ? (message) => named.told(number, message)
          : (message) => tellTasks(job, message);
      this.#listeners.set(number, listener);
    }
    const link = this.#link!;
    const watched = (): void => {
      if (link !== this.#link) return;
      this.#lettingGo.watched(number, job);
      this.#persisting.say(link, number);
      this.#look();
    };
    link.watch(number, listener).then(watched, (error: unknown) => {
      // Of tasks that another client had: released in between. Their keys are asked about on the next connection.
      if (!(error instanceof LinkLost)) this.#link?.close("a job is not known any more");
    });
  }

  #disconnected(): void {
    this.#link = undefined;
    this.#unconfirmedAppends = 0;
    this.#unconfirmedBytes = 0;
    this.#named = new NamedTasks();
    this.#lettingGo.disconnected();
    this.#listeners = new Map();
    this.#unwatched = [];
    const again: Item[] = [...this.#commanding];
    this.#unsentCommands += this.#commanding.size;
    this.#commanding.clear();
    for (const job of this.#jobs) {
      const unconfirmed = job.disconnected();
      // Keys find their tasks again, whatever numbers those have by then.
      if (!job.hasKeys) again.push(...unconfirmed);
      else {
        const known = job.appends.splice(0);
        for (const append of known) append.state = "lost";
        const anew = this.#appendAnew(known.map(({ batch }) => batch));
        // What has ended goes before what may need it.
        again.push(...this.#nameValues(job), ...anew);
      }
    }
    this.#line([...again, ...this.#items.slice(this.#next)]);
  }

  /** Of tasks with keys that have ended: their values are still wanted, and the scheduler has to be told by whom. */
  #nameValues(job: LooseJob): Append[] {
    return [...job.holders].flatMap(({ batch, values }) => {
      const places = [...values].toSorted((a, b) => a - b);
      return batch === undefined ? [] : [this.#append(batch, places)];
    });
  }

  /** The items that are to be sent: what a task needs goes before it. */
  #line(items: readonly Item[]): void {
    this.#items = [...new Set(items)].toSorted((a, b) => orderOf(a) - orderOf(b));
    this.#next = 0;
  }

  #sendAppend(link: SchedulerLink, append: Append): Sent {
    const { job, batch } = append;
    // It arrived before the connection was lost, or all of it has ended.
    if (append.state !== "waiting" || batch === undefined) return "sent";
    if (this.#unconfirmedAppends >= UNCONFIRMED_APPENDS_MAX || this.#unconfirmedBytes > UNCONFIRMED_BYTES_MAX)
      return "blocked";
    if (job.isBusy) return "blocked";
    const closed = closedJobs(append);
    for (const one of closed) this.#open(one);
    if (closed.size > 0) return "blocked";
    const unnamed = unnamedNeeds(append);
    if (unnamed.length > 0) return this.#placeAgain(unnamed);
    if (this.#failLost(append)) return "again";
    const bytes = appendBytes(append);
    const request = appendRequest(append, job.rows);
    job.place(append);
    job.isBusy = job.hasKeys;
    this.#unconfirmedAppends++;
    this.#unconfirmedBytes += bytes;
    let joined: Joined | undefined;
    link
      .ask(
        request,
        (told) => (joined = told),
        // At once: how its tasks end may be told in the same breath.
        ({ tasks }) => void (link === this.#link && this.#confirmed(append, tasks, joined, bytes)),
      )
      .catch((error: Error) => this.#refused(append, error, link, bytes));
    return "sent";
  }

  /** Gives tasks a place again, ahead of what comes next, unless that is under way. */
  #placeAgain(needs: readonly Future[]): Sent {
    const places = new Map<FutureBatch, Set<number>>();
    for (const need of needs) {
      const [batch, place] = [batchOf(need), placeOf(need)];
      if (isUnderWay(batch.where, place)) continue;
      const some = places.get(batch) ?? new Set();
      places.set(batch, some.add(place));
    }
    if (places.size === 0) return "blocked";
    const appends = [...places].map(([batch, some]) => this.#append(batch, [...some]));
    this.#line([...appends, ...this.#items.slice(this.#next)]);
    return "again";
  }

  /** Tasks whose needs have failed or are lost fail here; those that have ended are named no more. @returns Whether there were any. */
  #failLost(append: Append): boolean {
    const batch = append.batch!;
    const lost = lostNeeds(append);
    if (lost.size === 0) return false;
    for (const [place, error] of lost)
      if (batch.isPending(place)) batch.erred(place, error);
      else batch.where.lose(place);
    append.state = "lost";
    const left = [...placesOf(append)].filter((place) => !lost.has(place));
    const rest = this.#items.slice(this.#next + 1);
    this.#line(left.length === 0 ? rest : [this.#append(batch, left), ...rest]);
    return true;
  }

  #confirmed(append: Append, tasks: number, joined: Joined | undefined, bytes: number): void {
    const { job } = append;
    append.state = "durable";
    this.#unconfirmedAppends--;
    this.#unconfirmedBytes -= bytes;
    job.durable = Math.max(job.durable, append.from + append.count);
    if (job.hasKeys) {
      job.isBusy = false;
      job.rows = tasks;
      // What has ended of them may have been told before: it is told again.
      for (const number of this.#named.add(append, tasks, joined)) this.#watch(number);
      this.#letGoAgain(append);
    }
    if (append.batch?.unended === 0) append.batch = undefined;
    this.#pump();
  }

  /** What was released is named again where a task needs it; it is let go of when all such tasks are sent. */
  #letGoAgain(append: Append): void {
    const { batch } = append;
    const released = batch === undefined ? [] : [...placesOf(append)].filter((place) => batch.isReleased(place));
    if (released.length > 0) this.#lettingGo.add(Number.MAX_SAFE_INTEGER, batch!.where, released);
  }

  /** `bytes`: what it took when it was sent; the parameters of a task that has ended are gone. */
  #refused(append: Append, error: Error, link: SchedulerLink, bytes: number): void {
    if (link !== this.#link) return;
    const { batch, job } = append;
    const isLost = error instanceof PeError && error.code === "PE_JOB_UNKNOWN";
    // Tasks before it were refused: its own are sent again under other numbers.
    const isShifted = error.message.includes("the request goes on from");
    if (!isLost && !isShifted) {
      job.appends = job.appends.filter((one) => one !== append);
      append.state = "lost";
      if (isConflict(error) && append.count > 1) this.#halve(append);
      else for (const place of placesOf(append)) batch?.erred(place, error);
    }
    // What follows in this job is refused as well: the next connection puts its numbers in order.
    if (!job.hasKeys || isLost) return link.close("the numbers of tasks are to be agreed anew");
    job.isBusy = false;
    job.rows -= append.count;
    this.#unconfirmedAppends--;
    this.#unconfirmedBytes -= bytes;
    this.#pump();
  }

  /** One of its keys stands for something else, and the rest does not have to fail with it. */
  #halve({ batch, ...append }: Append): void {
    if (batch === undefined) return;
    const places = [...placesOf({ batch, ...append })];
    batch.where.home = undefined;
    const middle = places.length >> 1;
    const halves = [places.slice(0, middle), places.slice(middle)].map((half) => this.#append(batch, half));
    this.#line([...halves, ...this.#items.slice(this.#next)]);
  }

  #sendCommand(link: SchedulerLink, command: Command): Sent {
    const pending = command.futures.filter((future) => batchOf(future).isPending(placeOf(future)));
    const closed = pending
      .map((future) => batchOf(future))
      .filter(({ job, hasKeys }) => !hasKeys && job.number === undefined);
    for (const { job } of closed) this.#open(job);
    if (closed.length > 0) return "blocked";
    const homeless = pending.filter((future) => locate(batchOf(future).where, placeOf(future)) === undefined);
    // Tried again after the scheduler had lost them: sent again, ahead of this command.
    if (homeless.length > 0) return this.#placeAgain(homeless);
    this.#unsentCommands--;
    this.#commanding.add(command);
    Promise.all(runsOf(pending).map(async (run) => await link.ask({ type: command.type, ...run }))).then(
      () => this.#commanding.delete(command),
      (error: unknown) => {
        if (error instanceof LinkLost || link !== this.#link) return;
        this.#commanding.delete(command);
        link.close("a job is not known any more");
      },
    );
    if (this.#unsentCommands === 0) for (const { number, job } of this.#unwatched.splice(0)) this.#watch(number, job);
    return "sent";
  }
}

function isConflict(error: Error): boolean {
  return error instanceof PeError && error.code === "PE_JOB_CONFLICT";
}

/** Tasks that follow each other and are of one job together. */
function runsOf(futures: readonly Future[]): { job: number; tasks: Uint32Array }[] {
  const runs: { job: number; tasks: number[] }[] = [];
  for (const future of futures) {
    const { job, task } = locate(batchOf(future).where, placeOf(future))!;
    const run = runs.at(-1);
    if (run?.job === job && run.tasks.length < COLUMN_TASKS_MAX) run.tasks.push(task);
    else runs.push({ job, tasks: [task] });
  }
  return runs.map(({ job, tasks }) => ({ job, tasks: Uint32Array.from(tasks) }));
}

function orderOf(item: Item): number {
  return "count" in item ? (item.batch?.order ?? 0) : item.order;
}
