/**
 * Graphs over arrays on a cluster of real processes, one after the other, and faults in between that are drawn from a seed:
 * processes killed and frozen, machines cut off from each other. Each graph must come to what it comes to without them, and
 * leave nothing on the workers. Where a private network can be had, each worker is a machine of its own.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { Random } from "../../common/random.ts";
import { TEST_KINDS } from "./built.ts";
import { ROOT } from "./client.ts";
import { FaultCluster, type FaultWorker } from "./cluster-faults.ts";
import { eventually, Program, signalProcess } from "./cluster-programs.ts";
import { HUB, PrivateNetwork, type CutKind } from "./private-network.ts";

const HOSTS = ["a", "b", "c"];
const CLIENT_HOST = "client";
const FAULTS_MAX = 3;
/** More than two could kill one task three times, which is then refused as poison, and rightly so. */
const DEATHS_MAX = 2;
const PAUSE_MS_MAX = 600;
const RESTART_MS_MAX = 500;
const [AWAY_MS_MIN, AWAY_MS_MAX] = [500, 8000];
/** With everything lost once and again a graph takes a tenth of it: whoever takes so long hangs. */
const ROUND_MS_MAX = 90_000;
/** A supervisor waits longer after each death: the next one begins anew. */
const DEATHS_OF_ONE_MAX = 2;

/** A worker as the scheduler tells of it. */
interface WorkerStatus {
  readonly name: string;
  readonly state: string;
  readonly rssBytes: number;
  readonly values: number;
  readonly valueBytes: number;
}

export interface RoundResult {
  readonly faults: readonly string[];
  readonly ms: number;
  readonly rssMegabytes: readonly number[];
}

export interface RoundsOptions {
  readonly seed: number;
  readonly isSecure: boolean;
}

export class ValueRounds {
  readonly #network: PrivateNetwork | undefined;
  readonly #cluster: FaultCluster;
  readonly #seed: number;
  /** By machine: the worker there, and how often its process was killed. */
  readonly #workers = new Map<string, { worker: FaultWorker; deaths: number }>();
  #workerCount = 0;

  static async start({ seed, isSecure }: RoundsOptions): Promise<ValueRounds> {
    const network = PrivateNetwork.open([...HOSTS, CLIENT_HOST]);
    try {
      const cluster = await FaultCluster.start({ network, isSecure: isSecure && network !== undefined });
      const rounds = new ValueRounds(network, cluster, seed);
      for (const host of HOSTS) rounds.#startWorker(host);
      await rounds.#settled();
      return rounds;
    } catch (error) {
      network?.close();
      throw error;
    }
  }

  private constructor(network: PrivateNetwork | undefined, cluster: FaultCluster, seed: number) {
    this.#network = network;
    this.#cluster = cluster;
    this.#seed = seed;
  }

  /** Whether machines can be cut off from each other. */
  get hasNetwork(): boolean {
    return this.#network !== undefined;
  }

  async run(number: number): Promise<RoundResult> {
    const startMs = performance.now();
    const round = new Round(this, new Random(this.#seed, number), this.#seed * 1000 + number);
    try {
      await round.run();
    } catch (error) {
      throw new Error(`round ${number} of seed ${this.#seed}: ${round.faults.join(", ")}`, { cause: error });
    }
    const ms = Math.round(performance.now() - startMs);
    const workers = await this.#settled();
    for (const [host, { worker }] of this.#workers)
      expect(filesUnder(worker.scratch), `files of values at ${host}`).toEqual([]);
    return { faults: round.faults, ms, rssMegabytes: workers.map(({ rssBytes }) => Math.round(rssBytes / 2 ** 20)) };
  }

  /** Ends all of it, which goes by itself. */
  async stop(): Promise<void> {
    try {
      await this.#cluster.stop();
    } finally {
      await this.close();
    }
  }

  /** However a test ended. */
  async close(): Promise<void> {
    await this.#cluster.killAll();
    this.#network?.close();
  }

  /** What was said last by scheduler and workers, for the error of a round. */
  get lastWords(): string {
    const programs = [this.#cluster.scheduler, ...[...this.#workers.values()].map(({ worker }) => worker.program)];
    return programs.map(({ output }) => output.stderr.split("\n").slice(-12).join("\n")).join("\n--\n");
  }

  startClient(settings: object): Program {
    const { accessFile } = this.#cluster;
    const given = JSON.stringify({ accessFile, kinds: [TEST_KINDS], ...settings });
    const dist = join(ROOT, "test/fixtures");
    return new Program("programs/values-client.mjs", [given], { dist, ...this.#cluster.within(CLIENT_HOST) });
  }

  /** Faults that can be now. */
  faults(random: Random): Fault[] {
    const host = HOSTS[random.integer(HOSTS.length)]!;
    const other = HOSTS.filter((each) => each !== host)[random.integer(HOSTS.length - 1)]!;
    const kind: CutKind = random.integer(2) === 0 ? "silent" : "refused";
    const restartMs = random.uniform() * RESTART_MS_MAX;
    const cut = (name: string, ...pairs: (readonly [string, string])[]): Fault => ({
      name: `${kind}: ${name}`,
      begin: async () => {
        const heals = pairs.map(([from, to]) => this.#network!.cut(from, to, kind));
        return await Promise.resolve(() => heals.forEach((heal) => heal()));
      },
    });
    const away = (name: string, pid: () => number | Promise<number>): Fault => ({
      name: `freeze ${name}`,
      begin: async () => {
        const frozen = await pid();
        signalProcess(frozen, "SIGSTOP");
        return () => signalProcess(frozen, "SIGCONT");
      },
    });
    const processOf = async (): Promise<number> => await this.#workers.get(host)!.worker.process();
    return [
      { name: `kill the process at ${host}`, isDeath: true, begin: async () => await this.#killProcess(host) },
      { name: `kill the worker at ${host}`, isDeath: true, begin: async () => await this.#replace(host, restartMs) },
      away(`the worker at ${host}`, processOf),
      away("the scheduler", () => this.#cluster.scheduler.pid),
      { name: "kill the scheduler", begin: async () => await this.#restartScheduler(restartMs) },
      ...(this.#network === undefined
        ? []
        : [
            cut(`${host} and ${other}`, [host, other]),
            cut(`${host} and the scheduler`, [host, HUB]),
            cut(`${host} and all but the scheduler`, ...[other, CLIENT_HOST].map((to) => [host, to] as const)),
            cut("the client and all workers", ...HOSTS.map((to) => [to, CLIENT_HOST] as const)),
            cut("all workers from each other", ["a", "b"], ["b", "c"], ["c", "a"]),
          ]),
    ];
  }

  #startWorker(host: string): void {
    const options = this.#network === undefined ? {} : { host };
    const worker = this.#cluster.launchWorker(`${host}${++this.#workerCount}`, [], options);
    this.#workers.set(host, { worker, deaths: 0 });
  }

  async #killProcess(host: string): Promise<void> {
    const there = this.#workers.get(host)!;
    if (there.deaths >= DEATHS_OF_ONE_MAX) return await this.#replace(host, 0);
    there.deaths++;
    signalProcess(await there.worker.process(), "SIGKILL");
  }

  async #replace(host: string, restartMs: number): Promise<void> {
    await this.#workers.get(host)!.worker.program.kill();
    await sleep(restartMs);
    this.#startWorker(host);
  }

  async #restartScheduler(restartMs: number): Promise<void> {
    await this.#cluster.scheduler.kill();
    await sleep(restartMs);
    await this.#cluster.startScheduler();
  }

  /** All workers are there, and none has a value. */
  async #settled(): Promise<readonly WorkerStatus[]> {
    let workers: readonly WorkerStatus[] = [];
    const names = [...this.#workers.values()].map(({ worker }) => worker.name).toSorted();
    await eventually(
      async () => {
        workers = (await this.#status()).filter(({ state }) => state === "active");
        const isThere = JSON.stringify(workers.map(({ name }) => name).toSorted()) === JSON.stringify(names);
        return isThere && workers.every(({ values, valueBytes }) => values === 0 && valueBytes === 0);
      },
      () => `${names.join()} are there without values: ${JSON.stringify(workers)}`,
    );
    return workers;
  }

  async #status(): Promise<readonly WorkerStatus[]> {
    const args = ["workers", "--json", "--access-file", this.#cluster.accessFile];
    const asking = new Program("client/cli/main.js", args, this.#cluster.within());
    const { status } = await asking.ended;
    return status === 0 ? (JSON.parse(asking.output.stdout) as WorkerStatus[]) : [];
  }
}

interface Fault {
  readonly name: string;
  /** A worker dies of it. */
  readonly isDeath?: boolean;
  /** @returns Ends it, where it does not end by itself. */
  begin(): Promise<(() => void) | void>;
}

/** One graph. */
class Round {
  readonly #rounds: ValueRounds;
  readonly #random: Random;
  readonly #settings: { readonly seed: number; readonly hasKeys: boolean; readonly scatters: boolean };
  readonly faults: string[] = [];
  readonly #away: Promise<void>[] = [];
  #client: Program;
  #deaths = 0;

  constructor(rounds: ValueRounds, random: Random, seed: number) {
    this.#rounds = rounds;
    this.#random = random;
    const hasKeys = random.integer(2) === 0;
    this.#settings = { seed, hasKeys, scatters: !hasKeys && random.integer(2) === 0 };
    this.#client = rounds.startClient(this.#settings);
  }

  async run(): Promise<void> {
    try {
      // A calm one now and then.
      const count = this.#random.integer(8) === 0 ? 0 : 1 + this.#random.integer(FAULTS_MAX);
      await this.#said("submitted");
      for (let number = 0; number < count && this.#client.isRunning; number++) {
        await sleep(this.#random.uniform() * PAUSE_MS_MAX);
        await this.#act(this.#draw());
      }
      await this.#finished();
    } finally {
      await Promise.all(this.#away);
      await this.#client.kill();
    }
  }

  #draw(): Fault {
    const faults = this.#rounds
      .faults(this.#random)
      .filter(({ isDeath }) => isDeath !== true || this.#deaths < DEATHS_MAX);
    // The results of a client without keys are its own, and stay a while for it to come back.
    if (this.#settings.hasKeys) faults.push({ name: "kill the client", begin: async () => await this.#submitAgain() });
    return faults[this.#random.integer(faults.length)]!;
  }

  async #act({ name, isDeath, begin }: Fault): Promise<void> {
    if (isDeath === true) this.#deaths++;
    const share = this.#random.uniform();
    const end = await begin();
    const awayMs = Math.round(AWAY_MS_MIN + (AWAY_MS_MAX - AWAY_MS_MIN) * share ** 2);
    this.faults.push(end === undefined ? name : `${name} for ${awayMs} ms`);
    if (end !== undefined) this.#away.push(sleep(awayMs).then(end));
  }

  async #submitAgain(): Promise<void> {
    await this.#client.kill();
    this.#client = this.#rounds.startClient(this.#settings);
  }

  async #said(what: string): Promise<void> {
    await eventually(
      () => this.#client.output.stdout.includes(`"at":"${what}"`) || !this.#client.isRunning,
      () => `${what}: ${this.#client.output.stderr}`,
    );
  }

  async #finished(): Promise<void> {
    for (;;) {
      const client = this.#client;
      await eventually(
        () => !client.isRunning,
        () => `the graph ends; it said ${client.output.stdout}${client.output.stderr}\n${this.#rounds.lastWords}`,
        ROUND_MS_MAX,
      );
      const { status } = await client.ended;
      // It found no scheduler when it began.
      if (status !== 0 && client.output.stderr.includes("PE_CONNECTION") && client.output.stdout === "") {
        this.#client = this.#rounds.startClient(this.#settings);
        continue;
      }
      expect(status, `${client.output.stdout}${client.output.stderr}\n${this.#rounds.lastWords}`).toBe(0);
      return;
    }
  }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".value"));
}
