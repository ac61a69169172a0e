/**
 * One life of a connection to the scheduler: whoever asks gets the answer, or learns that the connection was lost; whoever
 * watches a job is told how its tasks end.
 */
import { PeError } from "../../common/errors.ts";
import { packageVersion } from "../../common/version.ts";
import type { ClientToScheduler, SchedulerToClient } from "../../protocol/client-link.ts";
import { CLOSE, type Connection, type End } from "../../protocol/connection.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { toldError } from "./remote-error.ts";

/** The client's side of a connection to a scheduler. */
export type ClientConnection = Connection<ClientToScheduler, SchedulerToClient>;

/** What the scheduler says of a job to those who watch it. */
export type Told = Extract<SchedulerToClient, { type: "finished" | "erred" | "cancelled" | "ended" }>;
export type Joined = Extract<SchedulerToClient, { type: "joined" }>;

/** A request before it has its number. */
export type Request = ClientToScheduler extends infer One
  ? One extends { request: number }
    ? Omit<One, "request">
    : never
  : never;

/** The word that answers each request. */
interface AnswerNames {
  open: "opened";
  append: "appended";
  seal: "ok";
  watch: "ok";
  unwatch: "ok";
  cancel: "ok";
  retry: "ok";
  release: "ok";
  find: "found";
  status: "statusIs";
  story: "storyIs";
  locate: "located";
  whoHas: "holders";
  letGo: "ok";
  replicate: "ok";
  persist: "ok";
}
export type AnswerTo<Asked extends Request> = Extract<SchedulerToClient, { type: AnswerNames[Asked["type"]] }>;
type Answer = Extract<SchedulerToClient, { request: number }>;

/** The connection ended before the answer came: ask again on the next one. Never seen by users. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
}

interface Pending {
  readonly done: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
  readonly onJoined: ((joined: Joined) => void) | undefined;
  readonly onAnswer: ((answer: Answer) => void) | undefined;
}

type Listener = (message: Told) => void;

/** With nothing heard for one beat the scheduler is asked for a word; after so many beats without one it is given up. */
const BEAT_MS = 2000;
const SILENT_BEATS_MAX = 4;
/** For the first word of the scheduler. */
const WELCOME_TIMEOUT_MS = 10_000;
/** No job has this number: it is asked about where only an answer is wanted, which such a request gets at once. */
const NO_JOB = 0xffff_ffff;
const SOFTWARE_LENGTH_MAX = 64;

export class SchedulerLink {
  readonly #connection: ClientConnection;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<number, Set<Listener>>();
  readonly #lost: (() => void)[] = [];
  readonly #beat: NodeJS.Timeout;
  #request = 0;
  #silentBeats = 0;
  #toldCount = 0;
  #isLost = false;
  #onHello: { done: () => void; fail: (error: Error) => void } | undefined;
  #refusal: PeError | undefined;

  private constructor(connection: ClientConnection) {
    this.#connection = connection;
    connection.onMessages((messages) => this.#heard(messages));
    connection.onClose((end) => this.#ended(end));
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS).unref();
  }

  /**
   * Says hello on a new connection.
   *
   * @throws {PeError} What the scheduler refuses this client with (`PE_VERSION`, both named), or `PE_CONNECTION`.
   */
  static async greet(connection: ClientConnection, name: string): Promise<SchedulerLink> {
    const link = new SchedulerLink(connection);
    const software = `pe-cluster ${packageVersion()}`.slice(0, SOFTWARE_LENGTH_MAX);
    const timer = setTimeout(() => connection.close("no welcome"), WELCOME_TIMEOUT_MS);
    try {
      await new Promise<void>((done, fail) => {
        link.#onHello = { done, fail };
        connection.send({ type: "hello", protocol: PROTOCOL_VERSION, software, name });
      });
    } finally {
      clearTimeout(timer);
      link.#onHello = undefined;
    }
    return link;
  }

  /** Numbers of the jobs that somebody here watches. */
  get watchedJobs(): readonly number[] {
    return [...this.#listeners.keys()];
  }

  /** How often watchers were told something. */
  get toldCount(): number {
    return this.#toldCount;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Why the scheduler will not have this client, if it said so. */
  get refusal(): PeError | undefined {
    return this.#refusal;
  }

  /** Calls back once, when the connection has ended. */
  onLost(callback: () => void): void {
    if (this.#isLost) queueMicrotask(callback);
    else this.#lost.push(callback);
  }

  /**
   * Asks and waits for the answer.
   *
   * @param onJoined Of an append: told of keys that were known, before the answer.
   * @param onAnswer Told the answer before anything that came after it is told; a promise would know it later.
   * @throws {PeError} The scheduler's refusal. @throws {LinkLost} when the connection ended before the answer.
   */
  async ask<Asked extends Request>(
    request: Asked,
    onJoined?: (joined: Joined) => void,
    onAnswer?: (answer: AnswerTo<Asked>) => void,
  ): Promise<AnswerTo<Asked>> {
    return await new Promise<AnswerTo<Asked>>((done, fail) => {
      if (this.#isLost) return fail(new LinkLost());
      const number = (this.#request = (this.#request % NO_JOB) + 1);
      this.#connection.send({ ...request, request: number });
      const [told, heard] = [done, onAnswer] as [(answer: Answer) => void, ((answer: Answer) => void) | undefined];
      this.#pending.set(number, { done: told, fail, onJoined, onAnswer: heard });
    });
  }

  /**
   * Tells `listener` how tasks of a job have ended and end, from the beginning; others who listen hear that again too.
   *
   * @throws {PeError} `PE_JOB_UNKNOWN`
   */
  async watch(job: number, listener: Listener): Promise<void> {
    const listeners = this.#listeners.get(job);
    if (listeners === undefined) this.#listeners.set(job, new Set([listener]));
    else listeners.add(listener);
    await this.ask({ type: "watch", job, results: true });
  }

  /** Stops telling; the job goes on. */
  unwatch(job: number, listener: Listener): void {
    const listeners = this.#listeners.get(job);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#listeners.delete(job);
    this.ask({ type: "unwatch", job }).catch(() => undefined);
  }

  close(reason: string): void {
    this.#connection.close(reason);
  }

  #heard(messages: readonly SchedulerToClient[]): void {
    this.#silentBeats = 0;
    for (const message of messages) {
      if (message.type === "joined") this.#pending.get(message.request)?.onJoined?.(message);
      else if ("request" in message) this.#answered(message);
      else if (message.type === "welcome") this.#onHello?.done();
      else if (message.type === "refuse") {
        this.#refusal = toldError(message.code, message.message);
        this.#onHello?.fail(this.#refusal);
      } else {
        this.#toldCount++;
        for (const listener of this.#listeners.get(message.job) ?? []) listener(message);
      }
    }
  }

  #answered(answer: Answer): void {
    const pending = this.#pending.get(answer.request);
    this.#pending.delete(answer.request);
    if (answer.type === "refused") pending?.fail(toldError(answer.code, answer.message));
    else {
      pending?.onAnswer?.(answer);
      pending?.done(answer);
    }
  }

  #onBeat(): void {
    const silent = this.#silentBeats++;
    if (silent > SILENT_BEATS_MAX) this.#connection.close("the scheduler says nothing");
    else if (silent > 0) this.ask({ type: "unwatch", job: NO_JOB }).catch(() => undefined);
  }

  #ended(end: End): void {
    this.#isLost = true;
    clearInterval(this.#beat);
    this.#onHello?.fail(this.#refusal ?? endError(this.#connection.remote, end));
    for (const { fail } of this.#pending.values()) fail(new LinkLost());
    this.#pending.clear();
    this.#listeners.clear();
    for (const callback of this.#lost.splice(0)) callback();
  }
}

function endError(remote: string, { code, reason }: End): PeError {
  const kind = code === CLOSE.protocol ? "PE_PROTOCOL" : "PE_CONNECTION";
  return new PeError(kind, `Cannot talk to the scheduler at ${remote}: ${reason === "" ? "it hung up" : reason}`);
}
