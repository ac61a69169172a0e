/** A client as its library would behave: submits its jobs, watches them, and does it all again on each new connection. */
import type { ClientToScheduler, SchedulerToClient } from "../../protocol/client-link.ts";
import { valueKey } from "../../protocol/held-values.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { Random } from "../../common/random.ts";
import { equal } from "./checks.ts";
import { must } from "./ledger.ts";
import type { Connection } from "./network.ts";
import type { World } from "./world.ts";
import { VERSION, type BatchPlan, type JobPlan } from "./workload.ts";

type Told = { readonly how: "finished" | "erred" | "cancelled"; readonly code?: string };
type Answer = Extract<SchedulerToClient, { request: number }>;
type Request = ClientToScheduler extends infer One
  ? One extends { request: number }
    ? Omit<One, "request">
    : never
  : never;

/** What a client knows of one of its jobs, on the present connection. */
interface Submission {
  readonly plan: JobPlan;
  number: number | undefined;
  isWatched: boolean;
  hasEnded: boolean;
  isReleased: boolean;
  told: (Told | undefined)[];
  /** Tasks whose values it let go of, since it watches. */
  letGo: Set<number>;
}

const RECONNECT_MS = 300;
/** Of a job that takes the id of another. */
const OTHER_KIND = "another";
/** The id of a job is claimed by another now and then, and let go of at once. */
const CONFLICTS_MAX = 10;

export class ClientHost {
  readonly #world: World;
  readonly #random: Random;
  readonly #name: string;
  readonly submissions: readonly Submission[];
  readonly #order: Submission[];
  #connection: Connection<ClientToScheduler, SchedulerToClient> | undefined;
  #request = 0;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #outgoing: ClientToScheduler[] = [];
  #isAway = false;
  #isReleasing = false;

  constructor(world: World, place: number, plans: readonly JobPlan[]) {
    this.#world = world;
    this.#name = `client-${place}`;
    this.#random = new Random(world.options.seed, 4, place);
    this.submissions = plans.map((plan) => ({
      plan,
      number: undefined,
      isWatched: false,
      hasEnded: false,
      isReleased: false,
      told: [],
      letGo: new Set(),
    }));
    this.#order = [...this.submissions];
  }

  start(): void {
    this.#connect();
  }

  /** Goes away without a word; comes back later. */
  leave(awayMs: number): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#disconnect();
    this.#world.clock.after(awayMs, () => this.comeBack());
  }

  comeBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#connect();
  }

  /** Everything is told that it asked for. */
  get isContent(): boolean {
    return this.submissions.every(
      ({ isWatched, hasEnded, told, plan }) => isWatched && hasEnded && countOf(told) === plan.tasks,
    );
  }

  /** Asks again for all that ended, from the beginning. */
  watchAnew(): void {
    for (const submission of this.submissions) {
      submission.isWatched = false;
      if (submission.number !== undefined) this.#watch(submission);
    }
    this.#flush();
  }

  /** Tasks that would go on for ever. */
  cancelEndless(): void {
    for (const { plan, number } of this.submissions) {
      if (!plan.isUnlimited || number === undefined) continue;
      const tasks = plan.behaviours.flatMap((behaviour, task) => (behaviour === "endless" ? [task] : []));
      this.#world.meddled.add(plan.place);
      if (tasks.length > 0) this.#ask({ type: "cancel", job: number, tasks: Uint32Array.from(tasks) });
    }
    this.#flush();
  }

  release(): void {
    this.#isReleasing = true;
    for (const submission of this.submissions.toReversed()) {
      this.#world.released.add(submission.plan.place);
      const { number } = submission;
      if (number === undefined) continue;
      this.#ask({ type: "release", job: number }, (answer) => {
        must(
          answer.type !== "refused" || answer.code !== "PE_JOB_NEEDED",
          `job ${number} cannot be released at the end`,
        );
        submission.isReleased = true;
      });
    }
    this.#flush();
  }

  get hasReleased(): boolean {
    return this.submissions.every(({ isReleased }) => isReleased);
  }

  /** Something that is no plain submission. */
  meddle(): void {
    const open = this.submissions.filter(({ number }) => number !== undefined);
    const submission = open[this.#random.integer(open.length)];
    if (submission === undefined || this.#isReleasing || this.#connection === undefined) return;
    this.#meddleWith(submission, submission.number!);
    this.#flush();
  }

  #meddleWith(submission: Submission, job: number): void {
    const { plan } = submission;
    const random = this.#random;
    const some = Uint32Array.from({ length: 1 + random.integer(3) }, () => random.integer(plan.tasks));
    const values = submission.told.flatMap((told, task) =>
      told?.how === "finished" && plan.valueBytes[task]! > 0 && !submission.letGo.has(task) ? [task] : [],
    );
    if (values.length > 0 && random.uniform() < 0.5)
      return this.#meddleWithValues(submission, job, values[random.integer(values.length)]!);
    switch (random.integer(15)) {
      case 0:
        this.#world.meddled.add(plan.place);
        return this.#ask({ type: "cancel", job, tasks: undefined });
      case 1:
      case 2:
        this.#world.meddled.add(plan.place);
        return this.#ask({ type: "cancel", job, tasks: some });
      case 3:
        return this.#ask({ type: "retry", job, tasks: undefined });
      case 4:
        return this.#ask({ type: "retry", job, tasks: some });
      case 5:
        submission.isWatched = false;
        return this.#ask({ type: "unwatch", job });
      case 6:
        return this.#watch(submission);
      case 7:
        if (this.#world.isNeeded(plan)) return;
        this.#world.released.add(plan.place);
        return this.#ask({ type: "release", job }, (answer) => {
          if (answer.type !== "ok") return;
          submission.number = undefined;
          submission.isWatched = false;
          this.#world.clock.after(this.#random.uniform() * 3000, () => this.#resubmit(submission));
        });
      case 8:
        return this.#ask({ type: "find", id: plan.id });
      case 12:
      case 13:
        this.#world.meddled.add(plan.place);
        this.#ask({ type: "cancel", job, tasks: this.#waiting(submission) ?? some });
        return this.#ask({ type: "retry", job, tasks: undefined });
      case 14:
        return this.#contest(plan);
      case 9:
        this.#ask({ type: "status" });
        return this.#ask({ type: "story", job, task: some[0]! });
      default:
        return this.#malformed(job, plan);
    }
  }

  /** Tasks that wait for others, as far as it knows: what these come to may be on its way to the disk. */
  #waiting({ plan, told }: Submission): Uint32Array | undefined {
    const waiting = plan.batches.flatMap(({ start, needs = [] }) =>
      needs.flatMap((list, place) => (list.length > 0 && told[start + place] === undefined ? [start + place] : [])),
    );
    return waiting.length === 0 ? undefined : Uint32Array.from(waiting);
  }

  #meddleWithValues(submission: Submission, job: number, task: number): void {
    const random = this.#random;
    const column = Uint32Array.of(task);
    const { workers } = this.#world.options;
    switch (random.integer(6)) {
      case 0:
      case 1:
        return this.#locate(submission, task, []);
      case 2:
      case 3:
        submission.letGo.add(task);
        return this.#ask({ type: "letGo", job, tasks: column });
      case 4: {
        const names = random.uniform() < 0.3 ? [`worker-${random.integer(workers)}`] : [];
        return this.#ask({
          type: "replicate",
          job,
          tasks: column,
          copies: 1 + random.integer(workers),
          workers: names,
        });
      }
      case 5:
        this.#ask({ type: "whoHas", job, tasks: column });
        return this.#ask({ type: "persist", job, tasks: column });
    }
  }

  /** Asks where a value is until it is had. */
  #locate(submission: Submission, task: number, gone: readonly string[], onHad = (): void => undefined): void {
    const { plan, number } = submission;
    if (number === undefined) return;
    this.#ask({ type: "locate", job: number, task, gone: gone.slice(0, 16) }, (answer) => {
      // What was computed again may fail as it may the first time, or be cancelled.
      if (answer.type === "refused") return onHad();
      must(answer.type === "located", `a locate is answered ${answer.type}`);
      must(
        answer.bytes === plan.valueBytes[task] && answer.sources.length > 0,
        `${plan.id}/${task} is located nowhere`,
      );
      const missing: string[] = [];
      for (const { worker } of answer.sources) {
        const content = this.#world.workerNamed(worker).serve(valueKey({ id: answer.id, task }));
        if (content === "gone") missing.push(worker);
        if (content === undefined || content === "gone") continue;
        must(equal(content, this.#world.expected.result(plan.place, task)), `the value of ${plan.id}/${task} is wrong`);
        return onHad();
      }
      this.#world.clock.after(500, () => {
        if (submission.number !== number) return;
        this.#locate(submission, task, missing, onHad);
        this.#flush();
      });
    });
  }

  /** Where nothing goes wrong a value stays as long as somebody needs it: then nothing begins twice. */
  #letGoCalmly(submission: Submission, task: number): void {
    const { isCalm, clients } = this.#world.options;
    const knowsAll = this.submissions.every(({ isWatched }) => isWatched);
    if (!isCalm || clients > 1 || !knowsAll || this.#isReleasing || this.#random.uniform() < 0.3) return;
    submission.letGo.add(task);
    this.#ask({ type: "letGo", job: submission.number!, tasks: Uint32Array.of(task) });
  }

  readonly #wanted = new Set<string>();

  /** Gets each value that it was told of. */
  gatherValues(): void {
    for (const submission of this.submissions) {
      const { plan, told, letGo } = submission;
      for (let task = 0; task < plan.tasks; task++) {
        if (plan.valueBytes[task] === 0 || told[task]?.how !== "finished" || letGo.has(task)) continue;
        const name = `${plan.id}/${task}`;
        this.#wanted.add(name);
        this.#locate(submission, task, [], () => this.#wanted.delete(name));
      }
    }
    this.#flush();
  }

  get hasValues(): boolean {
    return this.#wanted.size === 0;
  }

  get wanting(): string {
    return [...this.#wanted].slice(0, 5).join(" ");
  }

  /** Claims the id for another job: refused while there is one, but it may have been released a moment ago. */
  #contest({ id, common }: JobPlan): void {
    const other = { kind: OTHER_KIND, version: VERSION, common, maxFails: 0, transient: false };
    this.#ask({ type: "open", id, ...other }, (answer) => {
      if (answer.type === "opened") return this.#ask({ type: "release", job: answer.job });
      must(answer.type === "refused" && answer.code === "PE_JOB_CONFLICT", `a contested id is answered ${answer.type}`);
    });
  }

  /** Lets go of a job that another client opened under the id while it was free, and left; perhaps it is gone by now. */
  #makeRoom({ plan: { id } }: Submission, onFree: () => void): void {
    this.#ask({ type: "find", id }, (answer) => {
      must(answer.type === "found", "a find is not answered");
      if (answer.job?.kind !== OTHER_KIND) return onFree();
      this.#ask({ type: "release", job: answer.job.job }, onFree);
    });
  }

  /** Refused, and nothing changes; that the host checks for every refusal. */
  #malformed(job: number, plan: JobPlan): void {
    const refused = (answer: Answer): void =>
      must(answer.type === "refused", `a malformed request is answered ${answer.type}`);
    const options = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] };
    const append = { type: "append" as const, job, from: plan.tasks, count: 2, options, ...NOTHING };
    const column = (...values: number[]): Uint32Array => Uint32Array.from(values);
    const wrong: Request[] = [
      { type: "seal", job: 1_000_000, tasks: 0 },
      { type: "seal", job, tasks: plan.tasks + 1 },
      { type: "cancel", job, tasks: column(plan.tasks + 5) },
      { type: "retry", job, tasks: column(20_000_000) },
      { ...append, from: plan.tasks + 1000 },
      { ...append, from: plan.tasks, parameters: { ends: column(5, 3), values: new Uint8Array(3) } },
      { ...append, from: plan.tasks, keys: ["one"] },
      { ...append, from: plan.tasks, keys: ["twice", "twice"] },
      { ...append, from: plan.tasks, needs: { ends: column(1, 1), jobs: column(job), tasks: column(plan.tasks + 1) } },
      { ...append, from: plan.tasks, needs: { ends: column(1, 1), jobs: column(77_777), tasks: column(0) } },
    ];
    this.#ask(wrong[this.#random.integer(wrong.length)]!, refused);
  }

  #connect(): void {
    if (this.#isAway || this.#connection !== undefined) return;
    const { scheduler, clock } = this.#world;
    if (!scheduler.isUp || scheduler.isFrozen)
      return clock.after(RECONNECT_MS * (0.5 + this.#random.uniform()), () => this.#connect());
    const connection = this.#world.connect<ClientToScheduler, SchedulerToClient>();
    this.#connection = connection;
    scheduler.acceptClient(connection);
    connection.down.deliver = (messages) => {
      if (this.#connection !== connection) return;
      for (const message of messages) this.#said(message);
      this.#flush();
    };
    connection.down.onClose = () => {
      if (this.#connection !== connection) return;
      this.#disconnect();
      clock.after(RECONNECT_MS * (0.5 + this.#random.uniform()), () => this.#connect());
    };
    this.#outgoing.push({ type: "hello", protocol: PROTOCOL_VERSION, software: "simulated", name: this.#name });
    this.#shuffle();
    this.#submit(0);
    this.#flush();
  }

  #disconnect(): void {
    this.#connection?.closeNear();
    this.#connection = undefined;
    this.#outgoing = [];
    this.#answers.clear();
    for (const submission of this.submissions) {
      submission.number = undefined;
      submission.isWatched = false;
    }
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    this.#connection?.up.send(this.#world.codec.toSchedulerOfClient(this.#outgoing));
    this.#outgoing = [];
  }

  #ask(request: Request, onAnswer?: (answer: Answer) => void): void {
    const number = ++this.#request;
    this.#outgoing.push({ ...request, request: number });
    if (onAnswer !== undefined) this.#answers.set(number, onAnswer);
  }

  /** Another order on each connection, where no job needs another: a new journal gives them other numbers. */
  #shuffle(): void {
    if (this.#world.options.graphs) return;
    const places = new Map(this.#order.map((submission) => [submission, this.#random.uniform()]));
    this.#order.sort((a, b) => places.get(a)! - places.get(b)!);
  }

  /** One after the other, because a job may need those before it. */
  #submit(place: number): void {
    const submission = this.#order[place];
    if (submission === undefined || this.#isReleasing) return;
    const next = (): void => this.#submit(place + 1);
    if (this.#random.uniform() < 0.4) this.#attach(submission, next);
    else this.#open(submission, next);
  }

  /** Released: by nobody it knows, or by itself. */
  #resubmit(submission: Submission, onAppended = (): void => undefined): void {
    submission.number = undefined;
    submission.isWatched = false;
    if (this.#isReleasing || this.#connection === undefined) return;
    this.#open(submission, onAppended);
    this.#flush();
  }

  /** A client that knows that all was said already only watches. */
  #attach(submission: Submission, onAppended: () => void): void {
    this.#ask({ type: "find", id: submission.plan.id }, (answer) => {
      must(answer.type === "found", "a find is not answered");
      if (answer.job?.sealed !== true) return this.#open(submission, onAppended);
      submission.number = answer.job.job;
      this.#watch(submission);
      onAppended();
    });
  }

  #open(submission: Submission, onAppended: () => void, conflicts = 0): void {
    const { id, kind, common, maxFails, transient, batches } = submission.plan;
    this.#ask({ type: "open", id, kind, version: VERSION, common, maxFails, transient }, (answer) => {
      if (answer.type === "refused" && answer.code === "PE_JOB_CONFLICT") {
        must(conflicts < CONFLICTS_MAX, `job ${id} cannot be opened: its id is taken again and again`);
        return this.#makeRoom(submission, () => this.#open(submission, onAppended, conflicts + 1));
      }
      must(answer.type === "opened", `job ${id} cannot be opened: ${JSON.stringify(answer)}`);
      submission.number = answer.job;
      let left = batches.length;
      for (const batch of batches)
        this.#append(submission, answer.job, batch, () => {
          if (--left === 0) onAppended();
        });
      this.#ask({ type: "seal", job: answer.job, tasks: submission.plan.tasks }, (sealed) => {
        if (sealed.type === "refused") this.#resubmit(submission);
      });
      this.#watch(submission);
    });
  }

  #append(submission: Submission, job: number, batch: BatchPlan, onAppended: () => void): void {
    const { start, stop, options, keys, groups } = batch;
    const needs = batch.needs && this.#needsOf(batch.needs);
    const request: Request = {
      type: "append",
      job,
      from: start,
      count: stop - start,
      options,
      ...(batch.parameters && { parameters: blobsOf(batch.parameters) }),
      ...(keys && { keys }),
      ...(needs && { needs }),
      ...(groups && { groups: Uint32Array.from(groups) }),
      ...(groups && job % 2 === 0 && { labels: Uint32Array.from(groups, (_, place) => place) }),
    };
    const answered = (answer: Answer): void => {
      if (answer.type === "joined") {
        for (const [place, index] of answer.indices.entries())
          must(answer.jobs[place] === job && answer.tasks[place] === start + index, `a key is joined to another task`);
        this.#answers.set(answer.request, answered);
        return;
      }
      if (answer.type === "refused") {
        const isKnown = answer.code === "PE_JOB_UNKNOWN" || /not known|goes on from/.test(answer.message);
        must(isKnown, `a batch is refused: ${answer.message}`);
        return this.#resubmit(submission, onAppended);
      }
      onAppended();
    };
    this.#ask(request, answered);
  }

  #needsOf(needs: readonly (readonly { job: number; task: number }[])[]): {
    ends: Uint32Array;
    jobs: Uint32Array;
    tasks: Uint32Array;
  } {
    let end = 0;
    const all = needs.flat();
    return {
      ends: Uint32Array.from(needs, (list) => (end += list.length)),
      jobs: Uint32Array.from(
        all,
        ({ job }) => this.submissions.find(({ plan }) => plan.place === job)!.number ?? 77_777,
      ),
      tasks: Uint32Array.from(all, ({ task }) => task),
    };
  }

  #watch(submission: Submission): void {
    this.#ask({ type: "watch", job: submission.number!, results: true }, (answer) => {
      if (answer.type === "refused") return this.#resubmit(submission);
      submission.isWatched = true;
      submission.hasEnded = false;
      submission.told = [];
      submission.letGo = new Set();
    });
  }

  #said(message: SchedulerToClient): void {
    this.#world.trace?.(`${this.#name} is told`, message);
    if ("request" in message) {
      const onAnswer = this.#answers.get(message.request);
      this.#answers.delete(message.request);
      return onAnswer?.(message);
    }
    if (message.type === "welcome" || message.type === "refuse") return;
    const submission = this.submissions.find(({ number }) => number === message.job);
    if (submission === undefined) return;
    switch (message.type) {
      case "finished":
        return message.tasks.forEach((task, place) => {
          const result = message.results.subarray(place === 0 ? 0 : message.ends[place - 1], message.ends[place]);
          this.#finished(submission, task, result, message.sizes?.[place] ?? 0);
        });
      case "erred":
        submission.told[message.task] = { how: "erred", code: message.code };
        return this.#world.erred(submission.plan, message.task, message.code, message.message);
      case "cancelled":
        for (const task of message.tasks) submission.told[task] = { how: "cancelled" };
        return must(
          message.because !== undefined || this.#world.mayBeCancelled(submission.plan),
          `${submission.plan.id} is told to be cancelled, not why`,
        );
      case "ended":
        submission.hasEnded = true;
    }
  }

  #finished(submission: Submission, task: number, result: Uint8Array, bytes: number): void {
    const { plan, told, isWatched } = submission;
    const name = `${plan.id}/${task}`;
    must(bytes === plan.valueBytes[task], `${name} is told to give a value of ${bytes} bytes`);
    if (bytes > 0) {
      must(result.byteLength === 0, `the result of ${name} is a value and came with its report`);
      told[task] = { how: "finished" };
      // It may be lost, and finish again.
      return this.#letGoCalmly(submission, task);
    }
    if (isWatched) must(told[task]?.how !== "finished", `${name} is told to be finished a second time`);
    must(equal(result, this.#world.expected.result(plan.place, task)), `the result of ${name} is wrong`);
    told[task] = { how: "finished" };
  }
}

const NOTHING = { parameters: undefined, keys: undefined, needs: undefined, groups: undefined };

function blobsOf(blobs: readonly Uint8Array[]): { ends: Uint32Array; values: Uint8Array } {
  let end = 0;
  const ends = Uint32Array.from(blobs, (blob) => (end += blob.byteLength));
  const values = new Uint8Array(end);
  for (const [place, blob] of blobs.entries()) values.set(blob, place === 0 ? 0 : ends[place - 1]);
  return { ends, values };
}

function countOf(told: readonly (Told | undefined)[]): number {
  let count = 0;
  for (const one of told) if (one !== undefined) count++;
  return count;
}
