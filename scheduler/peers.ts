/** The connections of a scheduler, by number: who is there, what is said to them, and when they are listened to. */
import type { LogLine } from "../common/log.ts";
import type { ClientToScheduler, SchedulerToClient } from "../protocol/client-link.ts";
import type { Connection } from "../protocol/connection.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../protocol/worker-link.ts";
import type { SchedulerEvent } from "./core/events.ts";
import { createOutbox, type Outbox } from "../protocol/outbox.ts";

export type Role = "worker" | "client";

/** Whoever says nothing for so long after connecting is turned away. */
const SILENT_MS_MAX = 10_000;

type Said = WorkerToScheduler | ClientToScheduler;
type Told = SchedulerToWorker | SchedulerToClient;

interface Peer {
  readonly role: Role;
  readonly connection: Connection<Told, Said>;
  readonly outbox: Outbox<Told>;
  /** When it connected. */
  readonly sinceMs: number;
  /** What it calls itself; undefined before it has said anything. */
  name: string | undefined;
}

export class Peers {
  readonly #enter: (event: SchedulerEvent) => void;
  readonly #log: (line: LogLine) => void;
  /** Those that the core knows or will know of. */
  readonly #peers = new Map<number, Peer>();
  /** Those that have said nothing yet. */
  readonly #silent = new Set<number>();
  /** Connections that have not ended, those too that the core is done with. */
  readonly #open = new Set<Connection<Told, Said>>();
  readonly #listening = { worker: true, client: true };
  #isStopped = false;
  #last = 0;
  #whenEmpty: (() => void) | undefined;

  constructor(enter: (event: SchedulerEvent) => void, log: (line: LogLine) => void) {
    this.#enter = enter;
    this.#log = log;
  }

  accept(
    ...given:
      | [role: "worker", connection: Connection<SchedulerToWorker, WorkerToScheduler>]
      | [role: "client", connection: Connection<SchedulerToClient, ClientToScheduler>]
  ): void {
    const role = given[0];
    // What is said to a link comes from the core, which keeps the two apart.
    const connection = given[1] as unknown as Connection<Told, Said>;
    const link = ++this.#last;
    const nowMs = (): number => performance.now();
    const outbox = createOutbox<Told, Said>(connection, {
      nowMs,
      onStalled: (reason) => this.end(link, reason),
      onError: (error) => this.end(link, error instanceof Error ? error.message : String(error)),
    });
    this.#open.add(connection);
    connection.onClose(({ reason }) => this.#closed(link, role, connection, reason));
    if (this.#isStopped) return connection.close("the scheduler stops");
    this.#peers.set(link, { role, connection, outbox, sinceMs: nowMs(), name: undefined });
    this.#silent.add(link);
    connection.onMessages((messages) => this.#said(link, messages));
  }

  #said(link: number, messages: readonly Said[]): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    const { role } = peer;
    if (this.#silent.delete(link)) {
      this.#introduce(peer, messages[0]!);
      // Greeted it is anyway, and then it waits with the others.
      if (!this.#listening[role]) peer.connection.pause();
    }
    for (const message of messages) {
      if (!this.#peers.has(link)) return;
      this.#enter({ type: `${role}-said`, link, message } as SchedulerEvent);
    }
  }

  #introduce(peer: Peer, first: Said): void {
    peer.name = "name" in first ? first.name : "";
    if ("protocol" in first) peer.connection.speak(first.protocol);
    this.#log({ level: "info", text: `${describe(peer)} connected` });
  }

  #closed(link: number, role: Role, connection: Connection<Told, Said>, reason: string): void {
    const peer = this.#peers.get(link);
    if (peer !== undefined) this.#log({ level: "info", text: `${describe(peer)} is gone: ${reason || "it left"}` });
    peer?.outbox.close();
    this.#silent.delete(link);
    this.#open.delete(connection);
    // The core is told of each end, also of those that it asked for.
    this.#enter({ type: `${role}-closed`, link });
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  /** Whether the core is to hear what a connection says: not when it has ended the connection, or heard of the end. */
  has(link: number): boolean {
    return this.#peers.has(link);
  }

  /** The core hears of the end now. */
  forget(link: number): void {
    this.#peers.delete(link);
  }

  /** @throws {PeError} `PE_PROTOCOL` when it cannot be sent. */
  say(link: number, message: Told): void {
    const outbox = this.#peers.get(link)?.outbox;
    // A worker keeps its reports until it reads this, and nothing waits for that.
    if (message.type === "stored") outbox?.sendLater(message);
    else outbox?.send(message);
  }

  /** Ends a connection after what was said so far; nothing that it says is heard any more. */
  end(link: number, reason: string): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    this.#peers.delete(link);
    this.#log({ level: "info", text: `${describe(peer)} is turned away: ${reason}` });
    peer.outbox.close();
    peer.connection.close(reason);
  }

  /** Turns away who has connected and says nothing. */
  closeSilent(nowMs: number): void {
    for (const link of this.#silent) {
      const peer = this.#peers.get(link);
      if (peer === undefined) this.#silent.delete(link);
      else if (nowMs - peer.sinceMs > SILENT_MS_MAX) this.end(link, "it said nothing");
    }
  }

  /** Whether those of a role are listened to, also those to come. */
  listen(role: Role, isListening: boolean): void {
    if (this.#listening[role] === isListening || this.#isStopped) return;
    this.#listening[role] = isListening;
    for (const peer of this.#peers.values()) {
      if (peer.role !== role) continue;
      if (isListening) peer.connection.resume();
      else peer.connection.pause();
    }
  }

  counts(): { workers: number; clients: number; messagesWaiting: number } {
    const counts = { workers: 0, clients: 0, messagesWaiting: 0 };
    for (const { role, outbox } of this.#peers.values()) {
      counts[`${role}s`]++;
      counts.messagesWaiting += outbox.waiting.messages;
    }
    return counts;
  }

  /** Takes no more connections, and hears nothing of those there are. */
  stopListening(): void {
    if (this.#isStopped) return;
    for (const { connection } of this.#peers.values()) connection.pause();
    this.#isStopped = true;
  }

  /** Ends all connections, and resolves when they have ended. */
  async close(reason: string): Promise<void> {
    this.#isStopped = true;
    if (this.#open.size === 0) return;
    const emptied = new Promise<void>((done) => (this.#whenEmpty = done));
    for (const { outbox } of this.#peers.values()) outbox.close();
    for (const connection of this.#open) connection.close(reason);
    await emptied;
  }
}

function describe({ role, name, connection: { remote } }: Peer): string {
  return name === undefined || name === "" ? `a ${role} at ${remote}` : `${role} "${name}" at ${remote}`;
}
