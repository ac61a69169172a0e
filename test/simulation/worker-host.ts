/** A machine with a worker: a process with the worker's core and a thread a slot, a supervisor, and what befalls them. */
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { Random } from "../../common/random.ts";
import type { WorkerCore } from "../../worker/core/core.ts";
import type {
  HandOutId,
  TaskDone,
  TaskFailed,
  TaskInput,
  WorkerEffect,
  WorkerEvent,
} from "../../worker/core/events.ts";
import { valueKey, type ValueName } from "../../protocol/held-values.ts";
import { VERDICT_AFTER_MS } from "../../scheduler/core/limits.ts";
import { TICK_GAP_MS } from "../../worker/core/limits.ts";
import { handKey, type WorkerState } from "../../worker/core/state.ts";
import { isReady, leaveValues } from "../../worker/core/values.ts";
import { must } from "./ledger.ts";
import type { Connection } from "./network.ts";
import type { World } from "./world.ts";
import { compute, TIMEOUT_MS, VERSION, type Behaviour } from "./workload.ts";

type RunEffect = Extract<WorkerEffect, { type: "run" }>;
type FetchEffect = Extract<WorkerEffect, { type: "fetch-value" }>;

/** What the process has of a value. */
interface Stored {
  readonly content: Uint8Array;
  isInMemory: boolean;
  isOnDisk: boolean;
}

/** For a source that does not answer. */
const FETCH_TIMEOUT_MS = 2000;

interface Thread {
  /** The one it runs, and those that follow. */
  frames: (RunEffect & { readonly inputs: readonly (readonly Uint8Array[])[] })[];
  /** The task that runs, or the number of those that ended. */
  place: number;
  done: TaskDone[];
  failed: TaskFailed[];
  storing: HandOutId[];
  /** Changes when what was under way is void. */
  turn: number;
  /** It starts with the first frame that it gets. */
  isUp: boolean;
}

/** A connection of a worker. */
type Link = Connection<WorkerToScheduler, SchedulerToWorker>;

const TICK_MS = 500;
/** Of the tasks, those with a part to store, and how long that takes at most; mostly it is much less. */
const STORING_SHARE = 0.2;
const STORING_MS_MAX = 4000;
/** Of a worker that leaves: with so much and more all that runs may end. */
const LITTLE_TIME_MS = 3000;
const NO_TIME_MS = 300;

export class WorkerHost {
  readonly name: string;
  readonly slots: number;
  core: WorkerCore | undefined;
  isFrozen = false;
  isPartitioned = false;
  #life = 0;
  #inbox: (() => void)[] = [];
  #connection: Link | undefined;
  #threads: Thread[] = [];
  #outgoing: WorkerToScheduler[] = [];
  #hasLeft = false;
  /** Values, by `valueKey`. */
  readonly #values = new Map<string, Stored>();
  /** Of results that are values and are not told yet. */
  readonly #contents = new WeakMap<TaskDone, Uint8Array>();
  /** Values that are being fetched. */
  readonly #fetching = new Set<string>();
  /** The process before this one, where it was killed. */
  #died: string | undefined;
  /** The message after which the connection breaks: some wait for the worst moment. */
  #breaksAfter: "inputs" | "register" | undefined;
  /** What counts as a death of tasks if this process dies before it is heard of again. */
  #atStake: { readonly hit: () => void }[] = [];
  readonly #gpus: number;
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, place: number, slots: number, gpus: number) {
    this.#world = world;
    this.#random = new Random(world.options.seed, 3, place);
    this.name = `worker-${place}`;
    this.slots = slots;
    this.#gpus = gpus;
  }

  get isUp(): boolean {
    return this.core !== undefined;
  }

  start(): void {
    if (this.isUp) return;
    this.#life++;
    this.#hasLeft = false;
    this.core = this.#world.cores.createWorkerCore({
      protocol: PROTOCOL_VERSION,
      software: "simulated",
      name: this.name,
      instance: this.#instance,
      slots: this.slots,
      kinds: [
        { name: "alpha", version: VERSION },
        { name: "beta", version: VERSION },
      ],
      resources: this.#gpus > 0 ? [{ name: "gpu", amount: this.#gpus }] : [],
      valueBytesMax: this.#world.options.valueRoom,
      ...(this.#died !== undefined && {
        lastDeath: { instance: this.#died, how: "signal SIGKILL", rssBytes: 1 << 20, lines: ["its last words"] },
      }),
    });
    this.#threads = Array.from({ length: this.slots }, () => ({
      frames: [],
      place: 0,
      done: [],
      failed: [],
      storing: [],
      turn: 0,
      isUp: false,
    }));
    this.#tick(this.#life);
    this.#connect(this.#life);
  }

  get #instance(): string {
    return `${this.name}-${this.#life}`;
  }

  /** kill -9; the supervisor starts another process. */
  kill(restartMs: number): void {
    if (!this.isUp) return;
    this.#died = this.#instance;
    this.#end();
    this.#world.clock.after(restartMs, () => this.start());
  }

  #end(): void {
    this.#world.tellHeld(this);
    for (const { hit } of this.#atStake) hit();
    this.#atStake = [];
    this.core = undefined;
    this.#values.clear();
    this.#fetching.clear();
    this.#life++;
    this.isFrozen = false;
    this.#inbox = [];
    this.#outgoing = [];
    this.#connection?.closeNear();
    this.#connection = undefined;
  }

  /** The network resets the connection. */
  breakConnection(): void {
    if (this.#connection === undefined) return;
    const draw = this.#random.uniform();
    // Inputs have come, the hand-out that needs them has not; it is known again, what it holds is not.
    this.#breaksAfter = draw < 0.35 ? "inputs" : draw < 0.5 ? "register" : undefined;
    if (this.#breaksAfter === undefined) this.#reset();
  }

  #breakAfter(message: WorkerToScheduler | SchedulerToWorker | undefined): void {
    if (message?.type === this.#breaksAfter && this.#breaksAfter !== undefined) this.#reset();
  }

  #reset(): void {
    this.#breaksAfter = undefined;
    this.#connection?.reset(this.#world.clock, this.#world.options.delayMs, this.#random.uniform() < 0.7);
  }

  /** The connection of now goes silent, for ever. */
  halfOpen(): void {
    this.#connection?.silence();
  }

  partition(up: boolean, down: boolean): void {
    this.isPartitioned = true;
    if (this.#connection === undefined) return;
    this.#connection.up.isBlocked ||= up;
    this.#connection.down.isBlocked ||= down;
  }

  heal(): void {
    this.isPartitioned = false;
    this.#connection?.up.unblock();
    this.#connection?.down.unblock();
  }

  freeze(): void {
    this.isFrozen = this.isUp;
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const action of inbox) action();
  }

  /** It leaves, and where it has little time, gives back what still runs. */
  drain(withinMs: number): void {
    this.#soon(() => this.#step({ type: withinMs < NO_TIME_MS ? "hand-back" : "drain" }));
    const life = this.#life;
    if (withinMs >= NO_TIME_MS && withinMs < LITTLE_TIME_MS)
      this.#world.clock.after(withinMs, () => {
        if (life === this.#life) this.#soon(() => this.#step({ type: "hand-back" }));
      });
  }

  pause(paused: boolean): void {
    this.#soon(() => this.#step({ type: "memory", rssBytes: paused ? 2e9 : 1e8, paused }));
  }

  /** A thread that runs something dies by itself. */
  killThread(): void {
    const busy = this.#threads.flatMap(({ frames }, slot) => (frames.length === 0 ? [] : [slot]));
    if (busy.length > 0 && this.isUp && !this.isFrozen)
      this.#threadDies(busy[this.#random.integer(busy.length)]!, "out of memory");
  }

  /** A bug of the worker, as it were: something that waits is lost from its memory. */
  forget(): void {
    const hand = this.core?.state.line.pop();
    if (hand === undefined) return;
    this.core!.state.hands.delete(handKey(hand.job.job, hand.task));
    leaveValues(this.core!.state, hand);
  }

  /** What its process holds: to be told when it dies. */
  held(): readonly { readonly id: string; readonly task: number }[] {
    return [...(this.core?.state.hands.values() ?? [])].map(({ job: { id }, task }) => ({ id, task }));
  }

  /** Nothing is left in it. */
  checkEmpty(): void {
    const { core } = this;
    must(core !== undefined, `${this.name} is not up at the end`);
    const { hands, line, inputs, jobs, tookUs, slots, values } = core.state;
    const left = {
      hands: hands.size,
      line: line.length,
      inputs: inputs.size,
      jobs: jobs.size,
      tookUs: tookUs.size,
      values: values.size,
      "values in its memory and on its disk": this.#values.size,
    };
    for (const [what, count] of Object.entries(left))
      must(count === 0, `${this.name} still has ${count} ${what} at the end`);
    must(
      slots.every(({ frame }) => frame.length === 0),
      `${this.name} still runs something at the end`,
    );
  }

  /** What another worker, or a client, is told that asks for a value; undefined where it hears nothing at all. */
  serve(key: string): Uint8Array | "gone" | undefined {
    if (!this.isUp || this.isFrozen || this.isPartitioned) return undefined;
    return this.#values.get(key)?.content ?? "gone";
  }

  /** Values that it has, as its core sees it. */
  heldValues(): string[] {
    return [...(this.core?.state.values ?? [])].flatMap(([key, { state, isFreed, isCopy }]) =>
      isFreed || (state === "fetching" && isCopy) ? [] : [key],
    );
  }

  #soon(action: () => void): void {
    const life = this.#life;
    const guarded = (): void => {
      if (life === this.#life && this.isUp) action();
    };
    if (this.isFrozen) this.#inbox.push(guarded);
    else guarded();
  }

  #tick(life: number): void {
    this.#world.clock.after(TICK_MS * (0.95 + 0.1 * this.#random.uniform()), () => {
      if (life !== this.#life) return;
      this.#soon(() => {
        this.#step({ type: "tick" });
        this.#tick(life);
      });
    });
  }

  #connect(life: number): void {
    const { scheduler, clock } = this.#world;
    if (life !== this.#life || this.#connection !== undefined) return;
    if (!scheduler.isUp || scheduler.isFrozen || this.isPartitioned || this.isFrozen)
      return clock.after(this.#world.options.reconnectMs * (0.5 + this.#random.uniform()), () => this.#connect(life));
    const connection: Link = this.#world.connect();
    this.#connection = connection;
    this.#world.connected(connection.link, (hit) => {
      if (life !== this.#life) return hit();
      const stake = { hit };
      this.#atStake.push(stake);
      // Away for so long, it is as good as dead.
      this.#world.clock.after(VERDICT_AFTER_MS - 1000, () => {
        if (this.#atStake.includes(stake)) hit();
      });
    });
    scheduler.acceptWorker(connection);
    connection.down.deliver = (messages) =>
      this.#soon(() => {
        if (this.#connection !== connection) return;
        this.#steps(messages.map((message) => ({ type: "said", message })));
        this.#breakAfter(messages.at(-1));
      });
    const { deliver } = connection.up;
    connection.up.deliver = (messages) => {
      deliver?.(messages);
      if (this.#connection === connection) this.#breakAfter(messages.at(-1));
    };
    connection.down.onClose = () => this.#soon(() => this.#disconnected(connection));
    this.#soon(() => this.#step({ type: "connected" }));
  }

  #disconnected(connection: Link): void {
    if (this.#connection !== connection) return;
    connection.closeNear();
    this.#connection = undefined;
    const life = this.#life;
    this.#step({ type: "disconnected" });
    this.#world.clock.after(this.#world.options.reconnectMs * (0.5 + this.#random.uniform()), () =>
      this.#connect(life),
    );
  }

  #step(event: WorkerEvent): void {
    this.#steps([event]);
  }

  #steps(events: readonly WorkerEvent[]): void {
    const life = this.#life;
    const world = this.#world;
    for (const event of events) {
      const core = this.core;
      if (core === undefined || life !== this.#life) return;
      world.events++;
      if (event.type === "said" && event.message.type === "welcome") this.#atStake = [];
      world.coverage?.beforeWorker(core.state, event);
      world.trace?.(this.name, event);
      for (const effect of core.step(event, world.clock.nowMs)) this.#carryOut(effect);
      this.#checkValues(core.state);
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    this.#connection?.up.send(this.#world.codec.toScheduler(this.#outgoing));
    this.#outgoing = [];
  }

  #carryOut(effect: WorkerEffect): void {
    this.#world.trace?.(`${this.name} does`, effect);
    switch (effect.type) {
      case "send":
        if (effect.message.type === "failed") this.#checkBlame(effect.message);
        return void this.#outgoing.push(effect.message);
      case "run":
        return this.#run(effect);
      case "fetch-value":
        return this.#fetch(effect);
      case "spill-value":
        return this.#spill(effect.name);
      case "hold-value":
        return this.#hold(effect);
      case "free-value":
        this.#values.delete(valueKey(effect.name));
        this.#fetching.delete(valueKey(effect.name));
        return;
      case "upload-value":
        return;
      case "kill":
        return this.#killSoon(effect.slot, effect.reason);
      case "disconnect":
        return this.#world.clock.after(0, () =>
          this.#soon(() => this.#connection && this.#disconnected(this.#connection)),
        );
      case "refused": {
        must(effect.code === "PE_NAME_TAKEN", `${this.name} is refused: ${effect.message}`);
        this.#flush();
        return this.#leave();
      }
      case "left":
        this.#flush();
        return this.#leave();
    }
  }

  /** As a worker's store: what is held already stays as it is. */
  #hold({ name, done }: Extract<WorkerEffect, { type: "hold-value" }>): void {
    const key = valueKey(name);
    const known = this.#values.get(key);
    if (known === undefined)
      this.#values.set(key, { content: this.#contents.get(done)!, isInMemory: true, isOnDisk: false });
    else known.isInMemory = true;
  }

  /** What waits waits for something; what is used is there. */
  #checkValues({ values, hands, hereBytes, idle }: WorkerState): void {
    must(idle.copies.size + idle.others.size <= values.size, `${this.name} has idle values that it has not`);
    if (values.size === 0) return must(hereBytes === 0, `${this.name} counts ${hereBytes} bytes of no values`);
    let bytes = 0;
    for (const [key, value] of values) {
      if (value.state === "here") bytes += value.bytes;
      if (value.state === "here" || value.state === "spilling")
        must(this.#values.get(key)?.isInMemory, `${this.name} has not ${key} in memory`);
      const isIdle = value.state === "here" && value.users.size === 0;
      must(isIdle === (idle.copies.has(value) || idle.others.has(value)), `${this.name} takes ${key} for idle or not`);
      must(!value.isFreed || value.users.size > 0, `${this.name} keeps ${key}, which is freed`);
      for (const hand of value.users)
        must(hand.values.includes(value), `a hand-out uses value ${key} of ${this.name}, and does not need it`);
    }
    must(bytes === hereBytes, `${this.name} has ${bytes} bytes of values in memory, not ${hereBytes}`);
    for (const hand of hands.values()) {
      const { name } = hand.state;
      if (name === "fetching") must(!isReady(hand), `a hand-out of ${this.name} waits for values that are here`);
      if (name === "line" || name === "frame")
        must(isReady(hand), `a hand-out of ${this.name} is in the ${name} without its values`);
    }
  }

  /** From one source after the other, or from the disk. */
  #fetch({ name, bytes, sources }: FetchEffect): void {
    const key = valueKey(name);
    this.#fetching.add(key);
    const gone: string[] = [];
    const ended = (event: WorkerEvent): void => {
      if (this.#fetching.delete(key)) this.#step(event);
    };
    const later = (ms: number, action: () => void): void => {
      const life = this.#life;
      this.#world.clock.after(ms, () => {
        if (life === this.#life) this.#soon(action);
      });
    };
    if (sources.length === 0)
      return later(this.#random.uniform() * 20, () => {
        const stored = this.#values.get(key);
        must(stored === undefined || stored.isOnDisk || stored.isInMemory, `${this.name} reads ${key} from nowhere`);
        if (stored === undefined || this.#random.uniform() < this.#world.options.scratchFails / 4) {
          this.#values.delete(key);
          return ended({ type: "value-missing", name, gone: [] });
        }
        stored.isInMemory = true;
        ended({ type: "value-here", name });
      });
    const tryOne = (place: number): void => {
      const source = sources[place];
      if (source === undefined) return ended({ type: "value-missing", name, gone });
      const content = this.isPartitioned ? undefined : this.#world.workerNamed(source.worker).serve(key);
      const fails = this.#random.uniform() < this.#world.options.transferFails;
      if (content === undefined || fails) return later(FETCH_TIMEOUT_MS, () => tryOne(place + 1));
      const ms = this.#world.delayMs() * 2 + bytes / 1e5;
      if (content === "gone") {
        gone.push(source.worker);
        return later(ms, () => tryOne(place + 1));
      }
      later(ms, () => {
        // Somebody computed it here meanwhile, or nobody wants it any more.
        if (!this.#fetching.has(key)) return;
        this.#values.set(key, { content, isInMemory: true, isOnDisk: false });
        ended({ type: "value-here", name });
      });
    };
    tryOne(0);
  }

  #spill(name: ValueName): void {
    const life = this.#life;
    const key = valueKey(name);
    const stored = this.#values.get(key);
    must(stored?.isInMemory === true, `${this.name} spills ${key}, which is not in memory`);
    this.#world.clock.after(this.#random.uniform() * 100, () => {
      if (life !== this.#life) return;
      this.#soon(() => {
        if (this.#values.get(key) !== stored) return;
        const fails = this.#random.uniform() < this.#world.options.scratchFails;
        stored.isOnDisk = !fails;
        stored.isInMemory = fails;
        this.#step({ type: fails ? "value-not-spilled" : "value-spilled", name });
      });
    });
  }

  /** Who is blamed for a thread that had to be ended is whoever made that necessary. */
  #checkBlame({ job, task, code }: Extract<WorkerToScheduler, { type: "failed" }>): void {
    const hand = this.core!.state.hands.get(handKey(job, task));
    must(code !== "PE_DROPPED", `${this.name} tells that a task was dropped`);
    if (hand !== undefined && code === "PE_TIMEOUT") this.#world.checkTimeout(hand.job.id, task);
  }

  /** The process ends by itself, and the supervisor starts another one later. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#world.clock.after(0, () => {
      if (!this.#hasLeft || !this.isUp) return;
      this.#end();
      this.#world.clock.after(2000, () => this.start());
    });
  }

  #run(frame: RunEffect): void {
    const thread = this.#threads[frame.slot]!;
    must(frame.tasks.length > 0, `slot ${frame.slot} of ${this.name} is given an empty frame`);
    const inputs = frame.tasks.map((task) => task.inputs.map((input) => this.#contentOf(input)));
    thread.frames.push({ ...frame, inputs });
    if (thread.frames.length > 1) return;
    if (thread.isUp) this.#begin(frame.slot);
    else this.#startThread(frame.slot);
  }

  #startThread(slot: number): void {
    const thread = this.#threads[slot]!;
    const { turn } = thread;
    const isSlow = this.#random.uniform() < 0.05;
    // With what the worker does not forgive itself for standing still, no more than a task's time.
    const slowMs = TIMEOUT_MS - TICK_GAP_MS - 600 + 400 * this.#random.uniform();
    const startMs = isSlow ? slowMs : this.#random.uniform() ** 3 * 300;
    this.#world.clock.after(startMs, () =>
      this.#soon(() => {
        if (thread !== this.#threads[slot] || turn !== thread.turn) return;
        thread.isUp = true;
        this.#step({ type: "thread-up", slot });
        this.#begin(slot);
      }),
    );
  }

  /** As the shell gives it to a thread, which keeps it. */
  #contentOf(input: TaskInput): Uint8Array {
    if (input instanceof Uint8Array) return input;
    const stored = this.#values.get(valueKey(input));
    must(stored?.isInMemory === true, `${this.name} runs a task that needs ${valueKey(input)}, which is not in memory`);
    return stored.content;
  }

  #begin(slot: number): void {
    const thread = this.#threads[slot]!;
    const [frame] = thread.frames;
    const task = frame?.tasks[thread.place];
    if (frame === undefined || task === undefined) return;
    const begun = this.#world.begin(frame.id, task.task);
    const turn = thread.turn;
    if (begun.behaviour === "endless") return;
    this.#world.clock.after(begun.tookMs, () =>
      this.#soon(() => {
        if (thread !== this.#threads[slot] || turn !== thread.turn) return;
        this.#finish(slot, begun.behaviour, begun.tookMs, begun.fails, begun.isBlameless);
      }),
    );
  }

  #finish(slot: number, behaviour: Behaviour, tookMs: number, fails: boolean, blameless: boolean): void {
    const thread = this.#threads[slot]!;
    const frame = thread.frames[0]!;
    const { task, epoch, attempt, parameters } = frame.tasks[thread.place]!;
    const inputs = frame.inputs[thread.place]!;
    const valueBytes = this.#world.valueBytes(frame.id, task);
    if (behaviour === "poisonWorker") return this.kill(100 + this.#random.integer(2000));
    if (behaviour === "poisonThread") return this.#threadDies(slot, "it ended itself");
    const id = { job: frame.job, task, epoch, attempt };
    const endsJob = behaviour === "unreachable" && !blameless;
    const code = blameless ? "PE_STORE" : endsJob ? "PE_INPUT_UNREACHABLE" : "PE_TASK_FAILED";
    const failed: TaskFailed = { ...id, code, message: "it failed", stack: "", blameless, endsJob };
    const done = (): TaskDone => {
      const tookUs = tookMs * 1000;
      if (behaviour === "huge") return { ...id, tookUs, result: new Uint8Array(65 * 1024) };
      const result = compute(frame.common, task, parameters, inputs);
      if (valueBytes === 0) return { ...id, tookUs, result };
      const told = { ...id, tookUs, result: new Uint8Array(0), held: { id: frame.id, bytes: valueBytes } };
      this.#contents.set(told, result);
      return told;
    };
    // Only a store is at fault for nobody.
    if (this.#random.uniform() < STORING_SHARE && (blameless || !fails)) {
      thread.storing.push(id);
      this.#storeSoon(slot, blameless ? { done: [], failed: [failed] } : { done: [done()], failed: [] });
    } else if (fails || blameless) thread.failed.push(failed);
    else thread.done.push(done());
    thread.place++;
    const isLast = thread.place === frame.tasks.length;
    if (isLast) {
      thread.frames.shift();
      thread.place = 0;
    }
    // The core may give the slot its next frame at once.
    const { turn } = thread;
    const hadMore = thread.frames.length > 0;
    this.#report(slot, isLast);
    if (hadMore && thread === this.#threads[slot] && turn === thread.turn) this.#begin(slot);
  }

  /** A part takes its time, and the thread does not wait for it. */
  #storeSoon(slot: number, ended: { done: readonly TaskDone[]; failed: readonly TaskFailed[] }): void {
    const life = this.#life;
    this.#world.clock.after(this.#random.uniform() ** 3 * STORING_MS_MAX, () => {
      if (life === this.#life) this.#soon(() => this.#step({ type: "ended", slot, ...ended, storing: [] }));
    });
  }

  /** Each result is said at once; what comes within a turn of the event loop is heard together. */
  #report(slot: number, isLast: boolean): void {
    const thread = this.#threads[slot]!;
    const gathered = thread.done.length + thread.failed.length + thread.storing.length;
    if (isLast || gathered >= this.#world.options.reportTasks) return this.#tellEnded(slot);
    if (gathered > 1) return;
    this.#world.clock.after(1, () =>
      this.#soon(() => {
        if (thread === this.#threads[slot]) this.#tellEnded(slot);
      }),
    );
  }

  #tellEnded(slot: number): void {
    const thread = this.#threads[slot]!;
    const { done, failed, storing } = thread;
    thread.done = [];
    thread.failed = [];
    thread.storing = [];
    if (done.length + failed.length + storing.length > 0) this.#step({ type: "ended", slot, done, failed, storing });
  }

  #threadDies(slot: number, reason: string): void {
    const thread = this.#threads[slot]!;
    const [frame] = thread.frames;
    if (frame === undefined) return;
    const running = frame.tasks[thread.place];
    if (running !== undefined) this.#world.hit(frame.id, running.task);
    thread.turn++;
    thread.isUp = false;
    // What it said before it died still arrives, and frames that come until its death is heard of die with it.
    this.#tellEnded(slot);
    thread.frames = [];
    thread.place = 0;
    this.#step({ type: "thread-died", slot, reason });
  }

  #killSoon(slot: number, reason: string): void {
    const thread = this.#threads[slot]!;
    const { turn } = thread;
    this.#world.clock.after(this.#random.uniform() * 40, () =>
      this.#soon(() => {
        // It died by itself first.
        if (thread !== this.#threads[slot] || turn !== thread.turn) return;
        // A frame that ended meanwhile: the thread is ended all the same.
        if (thread.frames.length > 0) return this.#threadDies(slot, reason);
        thread.turn++;
        thread.isUp = false;
        this.#step({ type: "thread-died", slot, reason });
      }),
    );
  }
}
