/** Entry of the worker's own process. Its supervisor starts it, and it leaves when that one is gone. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, PeError } from "../common/errors.ts";
import { createLog } from "../common/log.ts";
import { dwellIn } from "../data/scratch-folder.ts";
import { readAccess } from "../protocol/access-file.ts";
import { connectSocket } from "../protocol/socket.ts";
import { schedulerToWorker, workerToScheduler } from "../protocol/worker-link.ts";
import type { SchedulerConnection } from "./connecting.ts";
import { watchMemory } from "./memory-watch.ts";
import type { ToProcess } from "./leaving.ts";
import type { FromProcess, ProcessSettings } from "./supervisor.ts";
import { networkWays } from "./values/network-ways.ts";
import { startWorker, type Worker, type WorkerEnd } from "./worker.ts";

const LINK = { out: workerToScheduler, in: schedulerToWorker };

/** Another process should take its place. */
const EXIT_REPLACE = EXIT.tempFail;
const HEARD_WITHIN_MS = 2000;

// A terminal, and a service manager, send signals to all processes; this one hears of them from its supervisor.
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => undefined);
// The reader of these is the supervisor, which may be gone.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const settings = JSON.parse(process.argv[2] ?? "{}") as ProcessSettings;
let worker: Worker | undefined;
let isLeaving = false;
let isHandingBack = false;

process.on("message", (said: ToProcess) => {
  isHandingBack ||= said === "hand-back";
  leave();
});
process.on("disconnect", leave);
// Whoever was gone before this process listened is not told of again.
if (process.send !== undefined && !process.connected) leave();

/** Also when nobody is there any more. */
function leave(): void {
  isLeaving = true;
  if (isHandingBack) worker?.handBack();
  else worker?.drain();
}

// A process that dies cannot be asked any more.
const unwatch = watchMemory({
  limitBytes: Infinity,
  onMemory: (rssBytes) => say({ rssBytes }),
  onExceeded: () => undefined,
});
const end = await run();
unwatch();
// Whoever has no supervisor any more has nobody who clears up.
if (process.send === undefined || !process.connected) await rm(settings.scratch, { recursive: true, force: true });
await tell(end);
process.exit(end.type === "left" ? EXIT.ok : EXIT_REPLACE);

async function run(): Promise<WorkerEnd> {
  try {
    dwellIn(settings.scratch);
    worker = await start(settings);
  } catch (error) {
    if (!(error instanceof PeError)) throw error;
    return { type: "refused", code: error.code, message: error.message };
  }
  if (isLeaving) leave();
  return await worker.ended;
}

async function start({ name, url, accessFile: file, threads, ...rest }: ProcessSettings): Promise<Worker> {
  const access = { role: "worker", url, file } as const;
  const { url: schedulerUrl, token, ca } = await readAccess(access);
  const log = createLog((line) => process.stderr.write(line), { json: rest.json });
  return await startWorker({
    name,
    threads,
    kinds: rest.kinds,
    resources: rest.resources,
    memoryLimitBytes: rest.memoryLimitBytes,
    instance: rest.instance,
    lastDeath: rest.lastDeath,
    openWays: async (store) =>
      await networkWays(store, {
        relay: { url: schedulerUrl, token, ca },
        host: rest.serveHost,
        port: rest.servePort,
        log,
      }),
    scratch: rest.scratch,
    partAccess: { schedulerUrl, ...(token !== undefined && { token }), ...(ca !== undefined && { ca }) },
    log,
    // A scheduler that starts anew may have written another file.
    connect: async (signal) => await connect(await readAccess(access), signal),
  });
}

async function connect(
  { url, token, ca }: { url: string; token: string | undefined; ca: string | undefined },
  signal: AbortSignal,
): Promise<SchedulerConnection> {
  return await connectSocket(`${url}/worker`, { link: LINK, token, ca, signal });
}

/** The supervisor answers by ending the channel: what was sent could be lost with the process. */
async function tell(ended: WorkerEnd): Promise<void> {
  if (process.send === undefined || !process.connected) return;
  const heard = once(process, "disconnect");
  say({ ended });
  await Promise.race([heard, sleep(HEARD_WITHIN_MS)]);
}

/** Who is not there any more needs to know nothing. */
function say(message: FromProcess): void {
  if (process.connected) process.send!(message, () => undefined);
}
