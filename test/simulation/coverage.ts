/**
 * What the simulation has met: pairs of a state and an event, for tasks and workers in the scheduler's core and for hand-outs in
 * the worker's, and transitions of tasks. Watches from outside; the cores know nothing of it.
 */
import type { SchedulerEvent } from "../../scheduler/core/events.ts";
import type { SchedulerState } from "../../scheduler/core/state.ts";
import { MAY_FOLLOW, TASK, TASK_STATES } from "../../scheduler/core/task-state.ts";
import { leaseKey } from "../../scheduler/core/worker-record.ts";
import type { HandOutId, WorkerEvent } from "../../worker/core/events.ts";
import { handKey, type WorkerState } from "../../worker/core/state.ts";

const WORKER_STATES = ["joining", "active", "suspect", "leaving"] as const;
const HAND_STATES = ["fetching", "line", "frame", "storing", "done", "failed", "dropped"] as const;

const TASK_EVENTS = [
  "done",
  "done, too late",
  "failed",
  "failed, too late",
  "died",
  "blameless",
  "ends the job",
  "returned",
  "held",
  "closed",
  "cancel",
  "retry",
  "release",
  "story",
  "starved",
  "holds",
  "lost",
  "locate",
  "letGo",
] as const;
const WORKER_EVENTS = [
  "held",
  "heartbeat",
  "done",
  "failed",
  "returned",
  "leaving",
  "closed",
  "register again",
  "tick",
  "holds",
  "have",
  "lost",
  "starved",
] as const;
const HAND_EVENTS = [
  "connected",
  "disconnected",
  "stored",
  "retract",
  "drop",
  "assign",
  "computed",
  "ended",
  "thread-up",
  "thread-died",
  "memory",
  "drain",
  "hand-back",
  "tick",
  "value-here",
  "value-missing",
  "value-spilled",
  "value-not-spilled",
] as const;

interface Table {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Why a pair cannot be: by `row/column`, `*` for any. */
  readonly impossible: Readonly<Record<string, string>>;
}

export const TABLES = {
  tasks: {
    title: "Tasks of the scheduler: state when the event came",
    rows: TASK_STATES,
    columns: TASK_EVENTS,
    impossible: {
      "released/done": "a report that counts has a lease, a task with a lease is processing",
      "released/failed": "as above",
      "released/died": "as above",
      "released/blameless": "as above",
      "released/ends the job": "as above",
      "released/closed": "as above",
      "waiting/done": "nothing is handed out before its needs are durable",
      "waiting/failed": "as above",
      "waiting/died": "as above",
      "waiting/blameless": "as above",
      "waiting/ends the job": "as above",
      "waiting/returned": "as above",
      "waiting/closed": "as above",
      "queued/done": "a report that counts has a lease, a task with a lease is processing",
      "queued/failed": "as above",
      "queued/died": "as above",
      "queued/blameless": "as above",
      "queued/ends the job": "as above",
      "queued/closed": "as above",
      "finished/done": "as above",
      "finished/failed": "as above",
      "finished/died": "as above",
      "finished/blameless": "as above",
      "finished/ends the job": "as above",
      "finished/closed": "as above",
      "erred/done": "as above",
      "erred/failed": "as above",
      "erred/died": "as above",
      "erred/blameless": "as above",
      "erred/ends the job": "as above",
      "erred/closed": "as above",
      "cancelled/done": "as above",
      "cancelled/failed": "as above",
      "cancelled/died": "as above",
      "cancelled/blameless": "as above",
      "cancelled/ends the job": "as above",
      "cancelled/closed": "as above",
    },
  },
  transitions: {
    title: "Tasks of the scheduler: from a state to another",
    rows: TASK_STATES,
    columns: TASK_STATES,
    impossible: Object.fromEntries(
      TASK_STATES.flatMap((from) =>
        TASK_STATES.filter((to) => !MAY_FOLLOW[from].includes(to)).map((to) => [`${from}/${to}`, "no transition"]),
      ),
    ),
  },
  workers: {
    title: "Workers of the scheduler: state when the event came",
    rows: WORKER_STATES,
    columns: WORKER_EVENTS,
    impossible: {
      "active/holds": "is said before anything else on a connection, while joining",
      "suspect/holds": "as above",
      "leaving/holds": "as above",
      "joining/have": "a worker names all it holds in one breath with register",
      "joining/lost": "as above",
      "joining/starved": "as above",
      "active/held": "is said before anything else on a connection, while joining",
      "suspect/held": "as above",
      "leaving/held": "as above",
      "joining/leaving": "is said after the last of what is held",
      "joining/heartbeat": "a worker names all it holds in one breath with register",
      "joining/done": "as above",
      "joining/failed": "as above",
      "joining/returned": "as above",
      "leaving/leaving": "is said once on a connection",
    },
  },
  hands: {
    title: "Hand-outs of the worker: state when the event came",
    rows: HAND_STATES,
    columns: HAND_EVENTS,
    impossible: {
      "fetching/stored": "only reports are stored",
      "fetching/computed": "has not begun",
      "fetching/ended": "has not begun",
      "fetching/thread-up": "is in no thread",
      "fetching/thread-died": "as above",
      "line/stored": "only reports are stored",
      "line/ended": "has not begun",
      "frame/stored": "only reports are stored",
      "frame/retract": "only what waits is given back",
      "done/retract": "as above",
      "failed/retract": "as above",
      "dropped/retract": "as above",
      "storing/retract": "as above",
      "storing/stored": "only reports are stored",
      "line/computed": "has not begun",
      "storing/computed": "was computed",
      "done/computed": "has ended",
      "failed/computed": "has ended",
      "storing/thread-up": "is in no thread",
      "storing/thread-died": "as above",
      "done/ended": "has ended",
      "failed/ended": "has ended",
      "line/thread-up": "is in no thread",
      "line/thread-died": "as above",
      "done/thread-up": "as above",
      "done/thread-died": "as above",
      "failed/thread-up": "as above",
      "failed/thread-died": "as above",
      "dropped/stored": "nobody reports it",
      "dropped/drop": "the scheduler has forgotten it",
    },
  },
} as const satisfies Record<string, Table>;

type TableName = keyof typeof TABLES;
/** Counts by table and `row/column`. */
export type Counts = Record<TableName, Record<string, number>>;

export class Coverage {
  readonly counts: Counts = { tasks: {}, transitions: {}, workers: {}, hands: {} };
  /** The seed that met a pair first, by `table: row and column`. */
  readonly firstSeeds: Record<string, number> = {};
  /** Of the world that is watched now. */
  seed = 0;
  /** State of each task by lease key, as far as it was told. */
  readonly #states = new Map<number, number>();
  readonly #watched = new WeakSet<SchedulerState>();

  beforeScheduler(state: SchedulerState, event: SchedulerEvent): void {
    if (!this.#watched.has(state)) this.#watch(state);
    if (event.type === "worker-said") this.#workerSaid(state, event);
    else if (event.type === "client-said") this.#clientSaid(state, event);
    else if (event.type === "worker-closed") {
      const worker = state.workers.get(event.link);
      if (worker === undefined) return;
      this.#count("workers", worker.state, "closed");
      for (const { job, task } of worker.leases.values()) this.#task(state, job.job, task, "closed");
    } else if (event.type === "tick")
      for (const worker of state.workers.values()) this.#count("workers", worker.state, "tick");
  }

  /** Every transition is told to the story. */
  #watch(state: SchedulerState): void {
    this.#watched.add(state);
    this.#states.clear();
    const { story } = state;
    const add = story.add.bind(story);
    for (const [number, { table }] of state.jobs)
      for (let task = 0; task < table.rows; task++) this.#states.set(leaseKey(number, task), table.state(task));
    story.add = (nowMs, job, task, to, attempt, worker) => {
      add(nowMs, job, task, to, attempt, worker);
      const key = leaseKey(job, task);
      const from = this.#states.get(key) ?? (hasNeeds(state, job, task) ? TASK.waiting : TASK.queued);
      this.#states.set(key, to);
      this.#count("transitions", TASK_STATES[from]!, TASK_STATES[to]);
    };
  }

  beforeWorker(state: WorkerState, event: WorkerEvent): void {
    switch (event.type) {
      case "said":
        return this.#said(state, event.message);
      case "ended":
        for (const ended of [...event.done, ...event.failed]) this.#handEnded(state, event.slot, ended, "ended");
        for (const ended of event.storing) this.#handEnded(state, event.slot, ended, "computed");
        return;
      case "thread-up":
      case "thread-died":
        for (const hand of state.slots[event.slot]!.frame) this.#count("hands", hand.state.name, event.type);
        return;
      default:
        for (const hand of state.hands.values()) this.#count("hands", hand.state.name, event.type);
        for (const { frame } of state.slots)
          for (const hand of frame) if (hand.state.name === "dropped") this.#count("hands", "dropped", event.type);
    }
  }

  #handEnded(state: WorkerState, slot: number, ended: HandOutId, event: "ended" | "computed"): void {
    const { job, task, epoch, attempt } = ended;
    const held = state.hands.get(handKey(job, task));
    const hands = [...state.slots[slot]!.frame, ...(held?.state.name === "storing" ? [held] : [])];
    for (const hand of hands)
      if (hand.job.job === job && hand.task === task && hand.epoch === epoch && hand.attempt === attempt)
        this.#count("hands", hand.state.name, event);
  }

  #said(state: WorkerState, message: Extract<WorkerEvent, { type: "said" }>["message"]): void {
    switch (message.type) {
      case "retract":
        for (const { state: now } of state.hands.values())
          if (now.name === "line" || now.name === "fetching") this.#count("hands", now.name, "retract");
        return;
      case "stored":
      case "drop":
        for (const [place, task] of message.tasks.entries()) {
          const hand = state.hands.get(handKey(message.job, task));
          if (hand?.epoch === message.epochs[place] && hand?.attempt === message.attempts[place])
            this.#count("hands", hand!.state.name, message.type);
        }
        return;
      case "assign":
        for (const task of message.tasks) {
          const hand = state.hands.get(handKey(message.job, task));
          if (hand !== undefined) this.#count("hands", hand.state.name, "assign");
          const dropped = state.slots
            .flatMap(({ frame }) => frame)
            .filter((other) => other.state.name === "dropped" && other.task === task && other.job.job === message.job);
          if (dropped.length > 0) this.#count("hands", "dropped", "assign");
        }
    }
  }

  #workerSaid(state: SchedulerState, { link, message }: Extract<SchedulerEvent, { type: "worker-said" }>): void {
    const worker = state.workers.get(link);
    if (message.type === "register") {
      for (const other of state.workers.values())
        if (other.name === message.name) this.#count("workers", other.state, "register again");
      return;
    }
    if (worker === undefined) return;
    this.#count("workers", worker.state, message.type);
    if (message.type === "done")
      for (const [place, task] of message.tasks.entries()) {
        const lease = worker.leases.get(leaseKey(message.job, task));
        const isPresent = lease?.epoch === message.epochs[place] && lease?.attempt === message.attempts[place];
        this.#task(state, message.job, task, isPresent ? "done" : "done, too late");
      }
    else if (message.type === "starved") this.#task(state, message.job, message.task, "starved");
    else if (message.type === "holds" || message.type === "lost") {
      const job = state.jobsById.get(message.id);
      for (const task of message.tasks) if (job !== undefined) this.#task(state, job.job, task, message.type);
    } else if (message.type === "failed") {
      const lease = worker.leases.get(leaseKey(message.job, message.task));
      const isPresent = lease?.epoch === message.epoch && lease?.attempt === message.attempt;
      const how = message.endsJob ? "ends the job" : message.blameless ? "blameless" : message.died ? "died" : "failed";
      this.#task(state, message.job, message.task, isPresent ? how : "failed, too late");
    } else if (message.type === "returned" || message.type === "held")
      for (const task of message.tasks) this.#task(state, message.job, task, message.type);
  }

  #clientSaid(state: SchedulerState, { message }: Extract<SchedulerEvent, { type: "client-said" }>): void {
    if (message.type === "locate") return this.#task(state, message.job, message.task, "locate");
    if (message.type === "letGo") return message.tasks.forEach((task) => this.#task(state, message.job, task, "letGo"));
    if (message.type === "story") return this.#task(state, message.job, message.task, "story");
    if (message.type !== "cancel" && message.type !== "retry" && message.type !== "release") return;
    const rows = state.jobs.get(message.job)?.table.rows ?? 0;
    const named = "tasks" in message ? message.tasks : undefined;
    for (let task = 0; task < rows; task++)
      if (named === undefined || named.includes(task)) this.#task(state, message.job, task, message.type);
  }

  #task(state: SchedulerState, job: number, task: number, event: (typeof TASK_EVENTS)[number]): void {
    const table = state.jobs.get(job)?.table;
    if (table !== undefined && task < table.rows) this.#count("tasks", TASK_STATES[table.state(task)], event);
  }

  #count(table: TableName, row: string, column: string): void {
    const counts = this.counts[table];
    const name = `${row}/${column}`;
    if (counts[name] === undefined) this.firstSeeds[pairName(table, row, column)] = this.seed;
    counts[name] = (counts[name] ?? 0) + 1;
  }
}

function pairName(table: string, row: string, column: string): string {
  return `${table}: ${row} and ${column}`;
}

function hasNeeds({ jobs }: SchedulerState, job: number, task: number): boolean {
  return jobs.get(job)?.batches.find(({ stop }) => task < stop)?.needs !== undefined;
}

export function addCounts(to: Counts, more: Counts): void {
  for (const table of Object.keys(TABLES) as TableName[])
    for (const [name, count] of Object.entries(more[table])) to[table][name] = (to[table][name] ?? 0) + count;
}

function whyImpossible({ impossible }: Table, row: string, column: string): string | undefined {
  return impossible[`${row}/${column}`] ?? impossible[`${row}/*`] ?? impossible[`*/${column}`];
}

/** Pairs that could have been met and were not, and pairs that were met and should not be. */
export function gapsOf(counts: Counts): { missing: string[]; surprising: string[] } {
  const [missing, surprising]: [string[], string[]] = [[], []];
  for (const [name, table] of Object.entries(TABLES) as [TableName, Table][])
    for (const row of table.rows)
      for (const column of table.columns) {
        const isMet = counts[name][`${row}/${column}`] !== undefined;
        const isImpossible = whyImpossible(table, row, column) !== undefined;
        if (!isMet && !isImpossible) missing.push(pairName(name, row, column));
        if (isMet && isImpossible) surprising.push(pairName(name, row, column));
      }
  return { missing, surprising };
}

/** The tables as text: how often each pair was met, `-` where it cannot be, `0` where it could have been. */
export function printTables(counts: Counts): string {
  return (Object.keys(TABLES) as TableName[]).map((name) => printTable(name, counts)).join("\n\n");
}

/** The tables, and why some pairs cannot be. */
export function printCoverage(counts: Counts): string {
  const tables = Object.entries(TABLES) as [TableName, Table][];
  return tables
    .map(([name, { impossible }]) => {
      const reasons = Object.entries(impossible).filter(([, why]) => why !== "no transition" && why !== "as above");
      return [printTable(name, counts), ...reasons.map(([pair, why]) => `  - ${pair}: ${why}`)].join("\n");
    })
    .join("\n\n");
}

function printTable(name: TableName, counts: Counts): string {
  const table: Table = TABLES[name];
  const cell = (row: string, column: string): string => {
    const count = counts[name][`${row}/${column}`];
    return count === undefined ? (whyImpossible(table, row, column) === undefined ? "0" : "-") : shortened(count);
  };
  const widths = table.columns.map((column) => Math.max(column.length, 6));
  const first = Math.max(...table.rows.map(({ length }) => length));
  const line = (head: string, cells: readonly string[]): string =>
    `${head.padEnd(first)}  ${cells.map((text, place) => text.padStart(widths[place]!)).join("  ")}`;
  return [
    table.title,
    line("", table.columns),
    ...table.rows.map((row) =>
      line(
        row,
        table.columns.map((column) => cell(row, column)),
      ),
    ),
  ].join("\n");
}

function shortened(count: number): string {
  if (count < 10_000) return String(count);
  return count < 1e6 ? `${Math.round(count / 1000)}k` : `${(count / 1e6).toFixed(1)}M`;
}
