/** The machine that runs the scheduler's core: its journal, its connections, its clock; and how it crashes and freezes. */
import type { ClientToScheduler, SchedulerToClient } from "../../protocol/client-link.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";
import type { SchedulerCore } from "../../scheduler/core/core.ts";
import type { SchedulerEffect, SchedulerEvent } from "../../scheduler/core/events.ts";
import { HEARTBEAT_MS, LOST_AFTER_MS } from "../../scheduler/core/limits.ts";
import { checkAgreement, checkRestart, checkWhole, LocalChecks } from "./checks.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import { Disk } from "./disk.ts";
import { Ledger, must } from "./ledger.ts";
import type { Connection } from "./network.ts";
import type { World } from "./world.ts";

export type WorkerConnection = Connection<WorkerToScheduler, SchedulerToWorker>;
export type ClientConnection = Connection<ClientToScheduler, SchedulerToClient>;

export class SchedulerHost {
  readonly disk: Disk;
  core: SchedulerCore | undefined;
  alarms = 0;
  #checks: LocalChecks | undefined;
  /** Counts lives of the process; what belongs to an earlier one is ignored. */
  #life = 0;
  #journalsLost = 0;
  #isFrozen = false;
  /** What happened while it was frozen. */
  #inbox: (() => void)[] = [];
  readonly #workers = new Map<number, WorkerConnection>();
  readonly #clients = new Map<number, ClientConnection>();
  readonly #outbox = new Map<number, (SchedulerToWorker | SchedulerToClient)[]>();
  #onTorn: (() => void) | undefined;
  #snapshotAt = 0;
  /** When this life last saw time pass. */
  #tickedMs = 0;
  /** When each link last said something, as this life saw it. */
  readonly #heardMs = new Map<number, number>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const { options, clock, random } = world;
    this.disk = new Disk(clock, () => options.fsyncMs * (0.5 + random.uniform()));
    this.#snapshotAt = options.snapshotEvery;
  }

  get isUp(): boolean {
    return this.core !== undefined;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  start(): void {
    const { world } = { world: this.#world };
    const { clock, cores } = world;
    this.#life++;
    const records = this.disk.recovered();
    const ledger = ledgerOf(this.disk.records);
    const { core, effects } = cores.createSchedulerCore(
      { records, sequence: this.disk.records.length, epochMin: this.#journalsLost * 1000 + 1 },
      clock.nowMs,
    );
    this.core = core;
    this.#tickedMs = clock.nowMs;
    this.#checks = new LocalChecks(core, ledger, ledgerOf(this.disk.records));
    if (this.disk.records.length > 0) checkRestart(cores.createSchedulerCore, records, ledger, clock.nowMs);
    this.#carryOut(effects);
    this.#flush();
    this.#tick(this.#life);
  }

  /** The process dies; `kept` is the share of unsynced records that happens to be on disk. */
  crash(kept: number, losesJournal: boolean): void {
    const { core } = this;
    if (core === undefined) return;
    checkWhole(core.state);
    this.core = undefined;
    this.#checks = undefined;
    this.#life++;
    this.#isFrozen = false;
    this.#inbox = [];
    this.#outbox.clear();
    if (losesJournal) {
      this.disk.lose();
      this.#journalsLost++;
    } else this.#forgetAcquittals(this.disk.crash(kept));
    for (const connection of [...this.#workers.values(), ...this.#clients.values()]) connection.closeFar();
    this.#workers.clear();
    this.#clients.clear();
  }

  /** A death that was taken back, which is not on the disk, is one again. */
  #forgetAcquittals(lost: readonly JournalRecord[]): void {
    const { jobs } = ledgerOf(this.disk.records);
    for (const record of lost)
      if (record.type === "died" && record.how === "acquitted" && jobs.has(record.job))
        this.#world.hit(jobs.get(record.job)!.id, record.task);
  }

  /** Calls back when a step leaves several records that are not durable. */
  crashWhenTorn(crash: (() => void) | undefined): void {
    this.#onTorn = crash;
  }

  freeze(): void {
    this.#isFrozen = this.isUp;
  }

  thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const action of inbox) action();
  }

  acceptWorker(connection: WorkerConnection): void {
    this.#workers.set(connection.link, connection);
    const { link } = connection;
    connection.up.deliver = (messages) =>
      this.#soon(() => this.#steps(messages.map((message) => ({ type: "worker-said", link, message }))));
    connection.up.onClose = () =>
      this.#soon(() => {
        this.#workers.delete(link);
        connection.closeFar();
        this.#steps([{ type: "worker-closed", link }]);
      });
  }

  acceptClient(connection: ClientConnection): void {
    this.#clients.set(connection.link, connection);
    const { link } = connection;
    connection.up.deliver = (messages) =>
      this.#soon(() => this.#steps(messages.map((message) => ({ type: "client-said", link, message }))));
    connection.up.onClose = () =>
      this.#soon(() => {
        this.#clients.delete(link);
        connection.closeFar();
        this.#steps([{ type: "client-closed", link }]);
      });
  }

  /** Now, or after the thaw; not at all when the process died meanwhile. */
  #soon(action: () => void): void {
    const life = this.#life;
    const guarded = (): void => {
      if (life === this.#life && this.isUp) action();
    };
    if (this.#isFrozen) this.#inbox.push(guarded);
    else guarded();
  }

  #tick(life: number): void {
    this.#world.clock.after(HEARTBEAT_MS * (0.95 + 0.1 * this.#world.random.uniform()), () => {
      if (life !== this.#life) return;
      this.#soon(() => {
        this.#steps([{ type: "tick" }]);
        this.#tick(life);
      });
    });
  }

  /** One turn of the event loop. */
  #steps(events: readonly SchedulerEvent[]): void {
    const life = this.#life;
    const written = this.disk.records.length;
    for (const event of events) {
      if (life !== this.#life) return;
      this.#step(event);
    }
    this.#flush();
    this.#takeSnapshot();
    this.#tear(written);
  }

  #step(event: SchedulerEvent): void {
    const world = this.#world;
    world.events++;
    // A connection may have been closed by a step before this one.
    if (event.type === "worker-said" && !this.#workers.has(event.link)) return;
    if (event.type === "client-said" && !this.#clients.has(event.link)) return;
    const core = this.core!;
    if (event.type === "worker-said") this.#heardMs.set(event.link, world.clock.nowMs);
    world.coverage?.beforeScheduler(core.state, event);
    world.trace?.("scheduler", event);
    this.#checks!.before(event);
    this.#tellVanished(core, event);
    const effects = core.step(event, world.clock.nowMs);
    if (event.type === "client-said" && effects.some(isRefusal))
      must(!effects.some(isOfRequest), `a refused ${event.message.type} is journaled`);
    this.#carryOut(effects);
    this.#checks!.step(event);
    if (event.type === "tick") this.#tickedMs = world.clock.nowMs;
  }

  /** A worker vanishes with what the scheduler thinks that it holds, also what was still on its way. */
  #tellVanished({ state }: SchedulerCore, event: SchedulerEvent): void {
    if (event.type === "worker-closed") this.#world.vanished(event.link, state.workers.get(event.link));
    else if (event.type === "worker-said" && event.message.type === "register")
      for (const worker of state.workers.values())
        if (worker.name === event.message.name) this.#world.vanished(worker.link, worker);
  }

  #carryOut(effects: readonly SchedulerEffect[]): void {
    const checks = this.#checks!;
    for (const effect of effects) {
      checks.effect(effect);
      this.#world.trace?.("scheduler does", effect);
      switch (effect.type) {
        case "journal":
          this.disk.append(this.#world.codec.record(effect.record));
          break;
        case "to-worker":
        case "to-client":
          this.#say(effect.link, effect.message);
          break;
        case "close-worker":
          if (effect.reason.startsWith("silent")) this.#checkLost(effect.link);
          this.#flushLink(effect.link);
          this.#workers.get(effect.link)?.closeFar();
          this.#workers.delete(effect.link);
          this.#closed({ type: "worker-closed", link: effect.link });
          break;
        case "close-client":
          this.#flushLink(effect.link);
          this.#clients.get(effect.link)?.closeFar();
          this.#clients.delete(effect.link);
          this.#closed({ type: "client-closed", link: effect.link });
          break;
        case "alarm":
          this.alarms++;
          must(effect.code !== "result-differs" || this.#journalsLost > 0, effect.message);
      }
    }
  }

  /** Whoever is lost for its silence was silent while the scheduler was not. */
  #checkLost(link: number): void {
    const silentMs = this.#tickedMs - (this.#heardMs.get(link) ?? 0);
    must(silentMs > LOST_AFTER_MS - 2000, `worker ${link} is lost because the scheduler stood still`);
  }

  /** The shell tells the core of each end, also of those that the core asked for. */
  #closed(event: SchedulerEvent): void {
    this.#world.clock.after(0, () => this.#soon(() => this.#steps([event])));
  }

  #say(link: number, message: SchedulerToWorker | SchedulerToClient): void {
    const waiting = this.#outbox.get(link);
    if (waiting === undefined) this.#outbox.set(link, [message]);
    else waiting.push(message);
  }

  #flush(): void {
    if (this.#outbox.size > 0) for (const link of this.#outbox.keys()) this.#flushLink(link);
    this.disk.flush((sequence) => {
      this.#soon(() => {
        // What is durable is known to the judge before the core hears of it.
        for (let place = this.disk.durable; place < sequence; place++)
          this.#checks!.durable.apply(this.disk.records[place]!);
        this.disk.durable = sequence;
        this.#steps([{ type: "durable", sequence }]);
      });
    });
  }

  #flushLink(link: number): void {
    const messages = this.#outbox.get(link);
    if (messages === undefined) return;
    this.#outbox.delete(link);
    const { codec } = this.#world;
    const worker = this.#workers.get(link);
    if (worker !== undefined) worker.down.send(codec.toWorker(messages as SchedulerToWorker[]));
    else this.#clients.get(link)?.down.send(codec.toClient(messages as SchedulerToClient[]));
  }

  #tear(written: number): void {
    const crash = this.#onTorn;
    if (crash === undefined || this.disk.records.length < written + 2) return;
    this.#onTorn = undefined;
    this.#world.clock.after(0, crash);
  }

  /** When all is durable, now and then: a snapshot restores what the live state holds. */
  #takeSnapshot(): void {
    const { core, disk } = this;
    if (this.#snapshotAt === 0 || core === undefined || disk.records.length < this.#snapshotAt) return;
    const { durability } = core.state;
    if (durability.durable !== durability.written) return;
    this.#snapshotAt = disk.records.length + this.#world.options.snapshotEvery;
    const records = [...core.snapshot()].map((record) => this.#world.codec.record(record));
    disk.snapshot = { records, upTo: disk.records.length };
    checkAgreement(core.state, this.#checks!.durable);
    checkRestart(this.#world.cores.createSchedulerCore, records, this.#checks!.durable, this.#world.clock.nowMs);
  }

  /** At the end: everything is durable, and the live state is what the records say. */
  checkEnd(): void {
    const { core, disk } = this;
    must(core !== undefined, "the scheduler is not up at the end");
    must(disk.durable === disk.records.length, "something is not durable at the end");
    checkWhole(core.state);
    checkAgreement(core.state, this.#checks!.durable);
    checkRestart(
      this.#world.cores.createSchedulerCore,
      disk.recovered(),
      ledgerOf(disk.records),
      this.#world.clock.nowMs,
    );
  }
}

/** Hand-outs of the same step may find that a value is lost, and that it can never be had. */
function isOfRequest(effect: SchedulerEffect): boolean {
  return effect.type === "journal" && effect.record.type !== "lost" && effect.record.type !== "erred";
}

/** Whoever seeks a value may be told in the same step that it is lost for good, and what comes of that is journaled. */
function isRefusal(effect: SchedulerEffect): boolean {
  return effect.type === "to-client" && effect.message.type === "refused" && effect.message.code !== "PE_VALUE_LOST";
}

function ledgerOf(records: Iterable<Parameters<Ledger["apply"]>[0]>): Ledger {
  const ledger = new Ledger();
  for (const record of records) ledger.apply(record);
  return ledger;
}
