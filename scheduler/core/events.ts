/** What enters the scheduler's core and what leaves it. The shell turns sockets, files and timers into the one and the other. */
import type { ClientToScheduler, SchedulerToClient } from "../../protocol/client-link.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";

/** Connections are numbered by the shell, from 1, never twice. */
export type SchedulerEvent =
  | { readonly type: "worker-said"; readonly link: number; readonly message: WorkerToScheduler }
  /** The connection is gone: the process died, left, or the network broke. */
  | { readonly type: "worker-closed"; readonly link: number }
  | { readonly type: "client-said"; readonly link: number; readonly message: ClientToScheduler }
  | { readonly type: "client-closed"; readonly link: number }
  /** Records up to this sequence number are on disk. */
  | { readonly type: "durable"; readonly sequence: number }
  /** Time passed; at least every `HEARTBEAT_MS`. */
  | { readonly type: "tick" };

export type SchedulerEffect =
  | { readonly type: "to-worker"; readonly link: number; readonly message: SchedulerToWorker }
  | { readonly type: "to-client"; readonly link: number; readonly message: SchedulerToClient }
  /** Appends a record; its sequence number is one above that of the record before. */
  | { readonly type: "journal"; readonly record: JournalRecord }
  | { readonly type: "close-worker"; readonly link: number; readonly reason: string }
  | { readonly type: "close-client"; readonly link: number; readonly reason: string }
  /** A job is forgotten, and that is durable: what was kept for it alone may go. */
  | { readonly type: "released"; readonly id: string }
  /** Something that must not happen happened outside: for the log and the dashboard. */
  | { readonly type: "alarm"; readonly code: AlarmCode; readonly message: string };

export type AlarmCode =
  /** One task gave two results: version skew, bad memory, or a kind that is not pure. */
  | "result-differs"
  /** Two workers have one name. */
  | "name-taken"
  /** A hand-out was forgotten by its own worker. */
  | "lease-expired";
