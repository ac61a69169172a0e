/**
 * The cores with one safety mechanism broken each. A mutant is a copy of the compiled cores in which one piece of text is
 * replaced; the cores themselves know nothing of it. A simulation that does not notice is not worth its time.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cores } from "./world.ts";

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Occurs once in the file, in its TypeScript and in what the compiler makes of it. */
  readonly find: string;
  readonly replace: string;
  /** A second change of the file, where one mechanism alone covers for the other. */
  readonly also?: { readonly find: string; readonly replace: string };
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "results are told and dependants queued before the record is durable",
    file: "scheduler/core/reports.ts",
    find: "else state.durability.after(settleAll);",
    replace: "else settleAll();",
  },
  {
    name: "a dependant is queued before the result it needs is durable",
    file: "scheduler/core/reports.ts",
    find: "finish(state, lease.job, message, place, worker.link);",
    replace:
      "finish(state, lease.job, message, place, worker.link); settle(state, lease.job, lease.task); lease.job.table.setSettled(lease.task, false);",
  },
  {
    name: "a result that is not durable counts as there when a need is linked",
    file: "scheduler/core/needs.ts",
    find: "&& table.isSettled(task);",
    replace: ";",
  },
  {
    name: "a result is acknowledged before it is durable",
    file: "scheduler/core/reports.ts",
    find: "if (places.length > 0) worker.rests = 0;",
    replace: 'toWorker(state, worker.link, { type: "stored", job: number, tasks, epochs, attempts });',
  },
  {
    name: "a late report is acknowledged before the one that counts is durable",
    file: "scheduler/core/reports.ts",
    find: "isVolatile &&= lease?.batch.options.volatile === true && places.at(-1) === place;",
    replace: "isVolatile &&= lease?.batch.options.volatile ?? true;",
  },
  {
    name: "a failure is acknowledged before it is durable",
    file: "scheduler/core/reports.ts",
    find: "const column = ",
    replace:
      'toWorker(state, worker.link, { type: "stored", job, tasks: Uint32Array.of(task), epochs: Uint32Array.of(epoch), attempts: Uint32Array.of(attempt) }); const column = ',
  },
  {
    name: "an error is told before it is durable",
    file: "scheduler/core/transitions.ts",
    find: 'journal(state, { type: "erred", job: job.job, task, ...fitted });',
    replace:
      'journal(state, { type: "erred", job: job.job, task, ...fitted }); for (const link of job.watchers.keys()) tellError(state, link, job, task);',
  },
  {
    name: "a cancellation is told before it is durable",
    file: "scheduler/core/transitions.ts",
    find: 'journal(state, { type: "cancelled", job: job.job, tasks: cancelled, ...(because !== undefined && { because }) });',
    replace:
      'journal(state, { type: "cancelled", job: job.job, tasks: cancelled, ...(because !== undefined && { because }) }); for (const link of job.watchers.keys()) tellCancelled(state, link, job, cancelled);',
  },
  {
    name: "tasks are acknowledged before they are durable",
    file: "scheduler/core/appending.ts",
    find: 'state.durability.after(() => toClient(state, link, { type: "appended", request, job, tasks: rows }));',
    replace: 'toClient(state, link, { type: "appended", request, job, tasks: rows });',
  },
  {
    name: "what waits for the disk runs before what waited longer",
    file: "scheduler/core/durability.ts",
    find: "if (this.#durable === this.#written && this.#first === this.#waiting.length) action();",
    replace: "if (this.#durable === this.#written || this.#written - this.#durable === 1) action();",
  },
  {
    name: "a watch begins before what ended earlier is durable",
    file: "scheduler/core/watching.ts",
    find: "job.watchers.set(link, { results });",
    replace:
      "job.watchers.set(link, { results }); for (let task = 0; task < job.table.rows; task++) if (job.table.state(task) === 3) job.table.setSettled(task, true);",
  },
  {
    name: "a report on an older attempt counts",
    file: "scheduler/core/leases.ts",
    find: "return lease?.epoch === epoch && lease.attempt === attempt ? lease : undefined;",
    replace: "return lease;",
  },
  {
    name: "the tasks of a lost worker are not queued again",
    file: "scheduler/core/joining.ts",
    find: "for (const { job, task } of leases) requeue(state, job, task, worker.link);",
    replace: "",
  },
  {
    name: "a worker that runs a suspected task gets more work when it comes back",
    file: "scheduler/core/joining.ts",
    find: "if (lease.job.table.deaths(lease.task) > 0) reserve(state, worker);",
    replace: "",
  },
  {
    name: "a silent worker is never lost",
    file: "scheduler/core/liveness.ts",
    find: "if (silentMs > LOST_AFTER_MS)",
    replace: "if (silentMs > 1e9)",
  },
  {
    name: "a silent worker goes on getting work",
    file: "scheduler/core/liveness.ts",
    find: 'if (worker.state === "active") worker.state = "suspect";',
    replace: "",
  },
  {
    name: "a stopped scheduler blames the workers for its own silence",
    file: "scheduler/core/liveness.ts",
    find: "if (stoodMs <= 0) return;",
    replace: "return;",
  },
  {
    name: "a lease that its worker forgot never ends",
    file: "scheduler/core/liveness.ts",
    find: "if (state.nowMs - lease.renewedMs > LEASE_MS) expired.push(lease);",
    replace: "if (state.nowMs - lease.renewedMs > 1e9) expired.push(lease);",
  },
  {
    name: "a heartbeat renews leases that it does not name",
    file: "scheduler/core/reports.ts",
    find: "worker.rssBytes = rssBytes;",
    replace: "worker.rssBytes = rssBytes; for (const lease of worker.leases.values()) lease.renewedMs = state.nowMs;",
  },
  {
    name: "a suspected task runs beside others",
    file: "scheduler/core/worker-record.ts",
    find: "if (!mayGet(worker) || worker.alone) return 0;",
    replace: "if (!mayGet(worker)) return 0;",
  },
  {
    name: "a suspected task is handed out like any other",
    file: "scheduler/core/dispatch.ts",
    find: "=== TASK.queued && table.deaths(task) === 0;",
    replace: "=== TASK.queued;",
  },
  {
    name: "deaths under a task are not counted",
    file: "scheduler/core/suspects.ts",
    find: "if (deaths < DEATHS_MAX || job.table.state(task) !== TASK.queued) return;",
    replace: "if (deaths < 255 || job.table.state(task) !== TASK.queued) return;",
  },
  {
    name: "a worker that comes back clears nobody",
    file: "scheduler/core/joining.ts",
    find: "acquitAll(state, message.instance);",
    replace: "",
  },
  {
    name: "a failure that is told again counts again",
    file: "scheduler/core/joining.ts",
    find: "|| isSpent(state, job, task, { epoch, attempt }))",
    replace: ")",
  },
  {
    name: "a hand-out is adopted although its task is not queued",
    file: "scheduler/core/joining.ts",
    find: "if (job.table.state(task) !== TASK.queued ||",
    replace: "if (",
  },
  {
    name: "a hand-out of a foreign job of the same number is adopted",
    file: "scheduler/core/joining.ts",
    find: "const isKnown = job?.id === id;",
    replace: "const isKnown = job !== undefined;",
  },
  {
    name: "lives on different journals have the same numbers",
    file: "scheduler/core/core.ts",
    find: "state.epoch = Math.max(state.epoch + 1, epochMin);",
    replace: "state.epoch = state.epoch + 1;",
  },
  {
    name: "adopted hand-outs exceed a worker's resources",
    file: "scheduler/core/joining.ts",
    find: "if (resourceRoom(worker, batchOf(job, task)) < 1) return false;",
    replace: "",
  },
  {
    name: "a worker that has named what it holds gets no work",
    file: "scheduler/core/joining.ts",
    find: 'if (worker.state === "joining") worker.state = "active";',
    replace: "",
  },
  {
    name: "resources are not counted",
    file: "scheduler/core/dispatch.ts",
    find: "const room = Math.min(roomFor(worker, batch), resourceRoom(worker, batch), fairShare(state, worker, batch));",
    replace: "const room = Math.min(roomFor(worker, batch), fairShare(state, worker, batch));",
  },
  {
    name: "pinned tasks run anywhere",
    file: "scheduler/core/worker-record.ts",
    find: "(options.workers.length === 0 || options.workers.includes(name)) &&",
    replace: "",
  },
  {
    name: "a need is counted down twice",
    file: "scheduler/core/graph.ts",
    find: "dependant.table.waitsFor(index) - 1;",
    replace: "dependant.table.waitsFor(index) - 2;",
  },
  {
    name: "the cursor of a range skips a task",
    file: "scheduler/core/dispatch.ts",
    find: "const task = segment.start++;",
    replace: "const task = segment.start++; if (task % 5 === 3 && segment.start + 1 < segment.stop) segment.start++;",
  },
  {
    name: "a cancelled hand-out is not dropped",
    file: "scheduler/core/leases.ts",
    find: "tellDrop(state, worker.link, job.job, [lease]);",
    replace: "",
  },
  {
    name: "tasks that wait for one that failed wait for ever",
    file: "scheduler/core/appending.ts",
    find: "failWhoseNeedsFailed(state, job, range(batch.stop, batch.start));",
    replace: "",
  },
  {
    name: "tasks put back beside one that failed wait for ever",
    file: "scheduler/core/requests.ts",
    find: "failWhoseNeedsFailed(state, job, ended);",
    replace: "",
  },
  {
    name: "a new life does not finish what the one before began to write",
    file: "scheduler/core/core.ts",
    find: "complete(state);",
    replace: "",
  },
  {
    name: "a retry is written down before the ends that it follows are told",
    file: "scheduler/core/requests.ts",
    find: "if (state.jobs.get(number) === job) again(state, job, tasks ?? range(job.table.rows));",
    replace: "again(state, job, tasks ?? range(job.table.rows));",
  },
  {
    name: "of a job that ended in an earlier life nobody is told",
    file: "scheduler/core/watching.ts",
    find: "if (!job.toldEnd) tellEnd(state, job);",
    replace: "if (!job.toldEnd) return;",
  },
  {
    name: "a number of a released job is given again",
    file: "scheduler/core/restore.ts",
    find: "if (last > 0 && !state.jobs.has(last)) yield",
    replace: "if (last < 0) yield",
  },
  {
    name: "a snapshot forgets what counts against a task",
    file: "scheduler/core/restore.ts",
    find: "if (!hasFinished) yield* countedAgainst(state, job, table, task);",
    replace: "",
  },
  {
    name: "edges of the graph are never given back",
    file: "scheduler/core/graph.ts",
    find: "edges.release(list);",
    replace: "",
  },
  {
    name: "workers are not told to forget a released job",
    file: "scheduler/core/releasing.ts",
    find: "if (worker.jobs.delete(job.job))",
    replace: "if (worker.jobs.delete(job.job) && job.job < 0)",
  },
  {
    name: "an error that ends its job leaves the rest of the job",
    file: "scheduler/core/transitions.ts",
    find: "if (endsJob)",
    replace: "if (endsJob && erred < 0)",
  },
  {
    name: "an error that ends its job is tried again",
    file: "scheduler/core/reports.ts",
    find: "if (fails <= batch.options.retries && !endsJob)",
    replace: "if (fails <= batch.options.retries)",
  },
  {
    name: "a restarted scheduler does not know why it cancelled a job",
    file: "scheduler/core/restore.ts",
    find: "job.because = because;",
    replace: "job.because = undefined;",
  },
  {
    name: "what a released job held counts for ever",
    file: "scheduler/core/releasing.ts",
    find: "uncountJob(state, job);",
    replace: "",
  },
  {
    name: "the worker returns tasks without a word",
    file: "worker/core/core.ts",
    find: "for (const hand of back) {",
    replace: "for (const hand of back.splice(0)) {",
  },
  {
    name: "a worker whose time is up goes on with what it gave back",
    file: "worker/core/core.ts",
    find: "for (const { job, task, epoch, attempt } of back) drop(state, job.job, task, epoch, attempt);",
    replace: "",
  },
  {
    name: "the worker does not repeat reports on a new connection",
    file: "worker/core/reports.ts",
    find: 'hands.filter((hand) => hand.state.name === "done")',
    replace: "[]",
  },
  {
    name: "the worker gives a task inputs that came for an older attempt",
    file: "worker/core/core.ts",
    find: "state.inputs.clear();",
    replace: "",
    also: {
      find: "const inputs = known?.attempt === attempt ? known : { attempt, results: [], values: [] };",
      replace: "const inputs = { attempt, results: known?.results ?? [], values: known?.values ?? [] };",
    },
  },
  {
    name: "the tasks behind one whose thread died are lost",
    file: "worker/core/threads.ts",
    find: "state.line.unshift(...wanted);",
    replace: "",
  },
  {
    name: "a thread that is ended late blames the task that runs by then",
    file: "worker/core/threads.ts",
    find: "killedFor !== undefined && killedFor.hand !== slot.frame[0];",
    replace: "false;",
  },
  {
    name: "an endless task is not ended",
    file: "worker/core/threads.ts",
    find: "if (first.timeoutMs > 0 && ranMs > first.timeoutMs)",
    replace: "if (first.timeoutMs < 0)",
  },
  {
    name: "the time that a thread needs to start is its first task's",
    file: "worker/core/core.ts",
    find: "return onThreadUp(state, event.slot);",
    replace: "return;",
  },
  {
    name: "a task that nobody wants is not ended",
    file: "worker/core/threads.ts",
    find: "state.nowMs - first.state.sinceMs > DROP_GRACE_MS)",
    replace: "state.nowMs < 0)",
  },
  {
    name: "the end of a task is not noticed when its part was stored after the thread went on",
    file: "worker/core/threads.ts",
    find: 'hand?.state.name === "storing" && isOf(hand, ended)',
    replace: "false",
  },
  {
    name: "the worker waits for ever for a silent scheduler",
    file: "worker/core/core.ts",
    find: "state.nowMs - state.heardMs > SCHEDULER_LOST_AFTER_MS",
    replace: "state.nowMs < 0",
  },
  {
    name: "a task is handed out although a value that it needs is lost",
    file: "scheduler/core/lineage.ts",
    find: "if (isLost(state, need, index)) computeAgain(state, need, index);",
    replace: "",
  },
  {
    name: "a task that waits for a lost value is linked to nothing",
    file: "scheduler/core/lineage.ts",
    find: "move(state, job, task, TASK.waiting);\n  linkAnew(state, job, task);",
    replace: "move(state, job, task, TASK.waiting);",
  },
  {
    name: "no record says that a value is computed again",
    file: "scheduler/core/lineage.ts",
    find: 'journal(state, { type: "lost", job: job.job, tasks: Uint32Array.of(task) });',
    replace: "",
  },
  {
    name: "a value is released while tasks need it",
    file: "scheduler/core/claims.ts",
    find: "|| table.claims(task) > 0) return;",
    replace: ") return;",
  },
  {
    name: "a task that runs again does not claim what it needs",
    file: "scheduler/core/claims.ts",
    find: "job.table.setSettled(task, false);\n  claimNeeds(state, job, task);",
    replace: "job.table.setSettled(task, false);",
  },
  {
    name: "a task that has ended goes on claiming what it needed",
    file: "scheduler/core/claims.ts",
    find: "dropClaims(state, job, task);\n  if (isValue)",
    replace: "if (isValue)",
  },
  {
    name: "a value that nobody wants stays on its workers",
    file: "scheduler/core/values.ts",
    find: "tellFree(state, worker, job.id, [task]);\n    removeHolder(value, worker);",
    replace: "removeHolder(value, worker);",
  },
  {
    name: "what a lost worker held counts as held",
    file: "scheduler/core/joining.ts",
    find: "loseHoldings(state, worker);",
    replace: "",
  },
  {
    name: "a hand-out that could not get its values is nobody's",
    file: "scheduler/core/holding.ts",
    find: "requeue(state, lease.job, task, worker.link);",
    replace: "",
  },
  {
    name: "a worker that comes back does not say which values it has",
    file: "worker/core/reports.ts",
    find: "announceValues(state);",
    replace: "",
  },
  {
    name: "a worker that comes back offers values whose report is not stored",
    file: "worker/core/values.ts",
    find: "if (isFreed || unreported.has(key)) return false;",
    replace: "if (isFreed) return false;",
  },
  {
    name: "a copy that is dropped is not told of",
    file: "worker/core/values.ts",
    find: 'send(state, { type: "lost", id: value.id, tasks: Uint32Array.of(value.task) });',
    replace: "",
  },
  {
    name: "a value makes room while a task uses it",
    file: "worker/core/values.ts",
    find: 'if (value.state !== "here" || value.users.size > 0) return;',
    replace: 'if (value.state !== "here") return;',
  },
  {
    name: "a task begins before its values are there",
    file: "worker/core/core.ts",
    find: "if (isReady(hand)) state.line.push(hand);",
    replace: "if (hand.values.length < 9) state.line.push(hand);",
  },
  {
    name: "a value is forgotten while a task uses it",
    file: "worker/core/values.ts",
    find: "if (value.users.size > 0 || !value.isFreed ||",
    replace: "if (!value.isFreed ||",
  },
  {
    name: "a value that is wanted while it goes to the disk is not brought back",
    file: "worker/core/values.ts",
    find: "if (value.users.size > 0) fetch(state, value, []);",
    replace: "",
  },
  {
    name: "hand-outs whose value cannot be had wait for it for ever",
    file: "worker/core/values.ts",
    find: 'if (hand.state.name !== "fetching") continue;',
    replace: "continue;",
  },
];

/** Where the compiled tree of this file is. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles nothing: copies what the compiler made, and changes it. */
export async function loadMutant(place: number): Promise<Cores> {
  const { file } = MUTANTS[place]!;
  const folder = join(ROOT, "mutants", String(place));
  rmSync(folder, { recursive: true, force: true });
  for (const room of ["common", "protocol", "scheduler", "worker"])
    cpSync(join(ROOT, room), join(folder, room), { recursive: true });
  const path = join(folder, file.replace(/\.ts$/, ".js"));
  writeFileSync(path, mutated(readFileSync(path, "utf8"), MUTANTS[place]!));
  const load = async (name: string): Promise<object> => (await import(join(folder, name))) as object;
  return { ...(await load("scheduler/core/core.js")), ...(await load("worker/core/core.js")) } as Cores;
}

export function mutated(text: string, { find, replace, also }: Mutant): string {
  const once = changed(text, find, replace);
  return also === undefined ? once : changed(once, also.find, also.replace);
}

/** Spaces do not count: the compiler breaks lines in its own way. */
function changed(text: string, find: string, replace: string): string {
  const words = find.split(/\s+/).map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  const pattern = new RegExp(words.join(String.raw`\s*`), "g");
  const found = text.match(pattern)?.length ?? 0;
  if (found !== 1) throw new Error(`Cannot make mutant: "${find}" occurs ${found} times`);
  return text.replace(pattern, () => replace);
}
