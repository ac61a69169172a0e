/**
 * Values from worker to worker on this machine, each a process of its own: a result of 15 MB, several needers of one holder, streams
 * of a gigabyte, through TLS, from a spilled file, through the scheduler; beside what dask takes for an array of 15 MB between
 * two workers, in the same round.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { RelayAccess } from "../protocol/transfer/relayed.ts";
import { findDasks, startDask } from "./dask-peer.ts";
import { median } from "./measure.ts";
import type { AskUpload, Fetched, Serving, Told } from "./transfer-process.ts";
import { workerEnvironment } from "../worker/environment.ts";

const SMALL_BYTES = 15_000_000;
const LARGE_BYTES = 1_000_000_000;
/** Of several needers at once: large enough that the others come while the first one fetches. */
const SHARED_BYTES = 200_000_000;
const TIMES = 30;
const DASK = "transfer";

/** Milliseconds, or bytes of memory, by what was measured. */
type Round = Record<string, number>;

export async function benchTransfer(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      peers: { type: "boolean", default: false },
      only: { type: "string", default: "small,together,large" },
      json: { type: "boolean", default: false },
    },
  });
  const rounds: Round[] = [];
  for (let round = 0; round < Number(values.rounds); round++) rounds.push(await oneRound(values.peers, values.only));
  console.log(values.json ? JSON.stringify(rounds) : table(rounds));
}

async function oneRound(hasPeers: boolean, only: string): Promise<Round> {
  const processes = Array.from({ length: 5 }, () => new Child());
  const plain = new Child(process.env);
  const [holder, first, second, third, scheduler] = processes as [Child, Child, Child, Child, Child];
  scheduler.onUpload = async (upload) => void (await holder.tell({ type: "upload", ...upload }));
  const dasks: Awaited<ReturnType<typeof startDask>>[] = [];
  try {
    if (hasPeers) for (const python of await findDasks()) dasks.push(await startDask(python, DASK));
    const round: Round = {};
    const serving = (await holder.tell({ type: "serve" })) as Serving;
    const relays = [
      (await scheduler.tell({ type: "relay", isSecure: false })) as RelayAccess,
      (await scheduler.tell({ type: "relay", isSecure: true })) as RelayAccess,
    ] as const;
    if (only.includes("small")) await small(round, { holder, first, plain, serving, relays });
    for (const dask of dasks) {
      const { medianMs, ownMs, cpuMs } = await dask.run({ measure: "transfer", bytes: SMALL_BYTES, times: TIMES });
      round[`15 MB, ${dask.name}: transfer by its own log`] = ownMs!;
      round[`15 MB, ${dask.name}: from submit to result`] = medianMs!;
      round[`15 MB, ${dask.name}: CPU time of the needer`] = cpuMs!;
    }
    if (only.includes("together")) await together(round, { holder, needers: [first, second, third], serving });
    if (only.includes("large")) await large(round, { holder, first, scheduler, serving, relays });
    return round;
  } finally {
    for (const dask of dasks) await dask.close();
    for (const process of [...processes, plain]) process.end();
  }
}

interface Parts {
  readonly holder: Child;
  readonly first: Child;
  readonly serving: Serving;
  readonly relays: readonly [plain: RelayAccess, secure: RelayAccess];
}

async function small(round: Round, { holder, first, plain, serving, relays }: Parts & { plain: Child }): Promise<void> {
  await holder.tell({ type: "hold", task: 1, bytes: SMALL_BYTES, spilled: false });
  await holder.tell({ type: "hold", task: 2, bytes: SMALL_BYTES, spilled: true });
  const value = { type: "fetch", task: 1, bytes: SMALL_BYTES, times: TIMES } as const;
  const ways: Record<string, Extract<Told, { type: "fetch" }>> = {
    "15 MB over TCP": { ...value, at: serving.plain },
    "15 MB over TLS": { ...value, at: serving.secure },
    "15 MB from a file, over TCP": { ...value, task: 2, at: serving.plain },
    "15 MB through the scheduler, HTTP": { ...value, relay: relays[0] },
    "15 MB through the scheduler, HTTPS": { ...value, relay: relays[1] },
  };
  for (const way of Object.values(ways)) await first.tell({ ...way, times: 5 });
  const kept = { ...value, at: serving.plain };
  await plain.tell({ ...kept, times: 5 });
  const touch = { type: "touch", bytes: SMALL_BYTES, times: TIMES } as const;
  round["15 MB of new memory, touched"] = median(((await first.tell(touch)) as Fetched).ms);
  const note = (name: string, { ms, cpuMs }: Fetched): void => {
    round[name] = median(ms);
    round[`${name}: CPU time of the needer`] = cpuMs;
  };
  for (const [name, way] of Object.entries(ways)) note(name, (await first.tell(way)) as Fetched);
  note("15 MB over TCP, without huge pages", (await plain.tell(kept)) as Fetched);
}

/** The first alone, then with others that come a moment later. */
async function together(
  round: Round,
  { holder, needers, serving }: { holder: Child; needers: readonly Child[]; serving: Serving },
): Promise<void> {
  await holder.tell({ type: "hold", task: 3, bytes: SHARED_BYTES, spilled: false });
  const fetch = { type: "fetch", task: 3, bytes: SHARED_BYTES, times: 1, at: serving.plain } as const;
  for (const needer of needers) await needer.tell(fetch);
  for (const count of [1, 2, 3]) {
    const times: number[] = [];
    for (let time = 0; time < 5; time++) {
      const [first] = (await Promise.all(needers.slice(0, count).map((needer) => needer.tell(fetch)))) as Fetched[];
      times.push(first!.ms[0]!);
    }
    round[`200 MB, the first of ${count}`] = median(times);
  }
  await holder.tell({ type: "drop", task: 3 });
}

async function large(
  round: Round,
  { holder, first, scheduler, serving, relays }: Parts & { scheduler: Child },
): Promise<void> {
  const fetch = { type: "fetch", task: 4, bytes: LARGE_BYTES, times: 1 } as const;
  const touch = { type: "touch", bytes: LARGE_BYTES, times: 1 } as const;
  round["1 GB of new memory, touched"] = median(((await first.tell(touch)) as Fetched).ms);
  for (const spilled of [false, true]) {
    await holder.tell({ type: "hold", task: 4, bytes: LARGE_BYTES, spilled });
    const ways: Record<string, Extract<Told, { type: "fetch" }>> = spilled
      ? { "1 GB from a file, over TCP": { ...fetch, at: serving.plain } }
      : {
          "1 GB over TCP": { ...fetch, at: serving.plain },
          "1 GB over TLS": { ...fetch, at: serving.secure },
          "1 GB through the scheduler, HTTP": { ...fetch, relay: relays[0] },
        };
    for (const [name, way] of Object.entries(ways)) {
      for (const one of [holder, first, scheduler]) await one.tell({ type: "memory" });
      round[name] = ((await first.tell(way)) as Fetched).ms[0]!;
      round[`${name}: memory of the holder`] = (await holder.tell({ type: "memory" })) as number;
      if (way.relay !== undefined)
        round[`${name}: memory of the scheduler`] = (await scheduler.tell({ type: "memory" })) as number;
      round[`${name}: memory of the needer beyond the value`] =
        ((await first.tell({ type: "memory" })) as number) - LARGE_BYTES;
    }
    await holder.tell({ type: "drop", task: 4 });
  }
  await stream(round, { holder, first, serving });
}

/** As many bytes in values that are used and given up one after the other: what a graph of images does. */
async function stream(round: Round, { holder, first, serving }: Omit<Parts, "relays">): Promise<void> {
  const name = "1 GB in ten values, one after the other";
  const bytes = LARGE_BYTES / 10;
  await holder.tell({ type: "hold", task: 5, bytes, spilled: false });
  await first.tell({ type: "memory" });
  const { ms } = (await first.tell({ type: "fetch", task: 5, bytes, times: 10, at: serving.plain })) as Fetched;
  round[name] = ms.reduce((sum, one) => sum + one, 0);
  round[`${name}: memory of the needer`] = (await first.tell({ type: "memory" })) as number;
  await holder.tell({ type: "drop", task: 5 });
}

/** A process that is told things. */
class Child {
  onUpload: (upload: AskUpload["upload"]) => Promise<void> = async () => await Promise.resolve();
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  #count = 0;

  /** By default as the supervisor starts a worker. */
  constructor(env: NodeJS.ProcessEnv = workerEnvironment()) {
    this.#process = fork(fileURLToPath(new URL("transfer-process.js", import.meta.url)), { env });
    this.#process.on("message", (message: AskUpload | { number: number; answer?: unknown; error?: string }) => {
      if ("upload" in message) return void this.onUpload(message.upload);
      const asked = this.#asked.get(message.number)!;
      this.#asked.delete(message.number);
      if (message.error === undefined) asked.resolve(message.answer);
      else asked.reject(new Error(message.error));
    });
  }

  async tell(told: Told): Promise<unknown> {
    const number = this.#count++;
    return await new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#process.send({ number, told });
    });
  }

  end(): void {
    this.#process.disconnect();
  }
}

function table(rounds: readonly Round[]): string {
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round)))];
  const lines = names.map((name) => {
    const values = rounds.flatMap((round) => (name in round ? [round[name]!] : []));
    const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)];
    return `  ${name.padEnd(62)} ${shown(name, middle).padStart(10)}  (${shown(name, low)} to ${shown(name, high)})`;
  });
  return [`medians (least to greatest) of ${rounds.length} interleaved rounds`, ...lines].join("\n");
}

function shown(name: string, value: number): string {
  if (name.includes(": memory")) return `${(value / 1e6).toFixed(0)} MB`;
  if (name.startsWith("1 GB") && !name.includes("touched")) return `${(LARGE_BYTES / value / 1e6).toFixed(2)} GB/s`;
  return `${value.toFixed(1)} ms`;
}
