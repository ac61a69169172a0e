/**
 * A cluster of real processes on a port of its own, made to be killed: pe-scheduler, pe-workers and clients of the built
 * package, in a folder of the test.
 *
 * Whatever was done to it, a test ends with `stop()`: everything leaves by itself when asked to, and then no process, no
 * socket and no temporary folder is left. What a failed test leaves behind is killed after it.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import type { Client as ClientClass } from "../../client/client.ts";
import type { ClusterJob } from "../../client/cluster-job.ts";
import type { TaskEnd } from "../../client/jobs/job-ends.ts";
import type { Access } from "../../protocol/access-file.ts";
import type { SchedulerHealth } from "../../scheduler/health.ts";
import { keepInJournal } from "../../scheduler/keeping.ts";
import { built, TEST_KINDS } from "./built.ts";
import { eventually, openSockets, Program, type ProgramOptions } from "./cluster-programs.ts";
import { testFolder } from "./folders.ts";
import { HUB, type PrivateNetwork } from "./private-network.ts";

const { Client } = await built<{ Client: typeof ClientClass }>("client/client.ts");

const running = new Set<FaultCluster>();

afterEach(async () => {
  for (const cluster of running) await cluster.killAll();
  running.clear();
});

export interface FaultClusterOptions {
  /** Names of workers to begin with; each has one thread. */
  readonly workers?: readonly string[];
  /** Folder of the journal, and of the parts below it. */
  readonly journal?: string;
  /** The scheduler is then at its hub, and workers where they are started. */
  readonly network?: PrivateNetwork | undefined;
  /** Over TLS, for which a network is needed. */
  readonly isSecure?: boolean;
}

const NETWORK_PORT = 8786;

export interface LaunchOptions {
  /** Of the package, in place of the one that was built. */
  readonly dist?: string;
  /** Machine of the network. */
  readonly host?: string;
}

/** A pe-worker: the supervisor, and the process that it keeps alive. */
export interface FaultWorker {
  readonly name: string;
  readonly program: Program;
  /** Where its temporary files are made. */
  readonly scratch: string;
  /** Number of the process under the supervisor; waits for one. */
  process(): Promise<number>;
}

export class FaultCluster {
  readonly folder: string;
  readonly journal: string;
  readonly accessFile: string;
  scheduler!: Program;
  /** In the order of their starts; a name may have had several. */
  readonly workers: FaultWorker[] = [];
  readonly #schedulers: Program[] = [];
  readonly #clients: ClientClass[] = [];
  readonly #network: PrivateNetwork | undefined;
  #port: number;

  private constructor(folder: string, { journal = join(folder, "journal"), network }: FaultClusterOptions) {
    this.folder = folder;
    this.journal = journal;
    this.accessFile = join(folder, "access.json");
    this.#network = network;
    this.#port = network === undefined ? 0 : NETWORK_PORT;
  }

  static async start(options: FaultClusterOptions = {}): Promise<FaultCluster> {
    const { workers = [], network, isSecure = false } = options;
    const cluster = new FaultCluster(await testFolder(), options);
    running.add(cluster);
    if (isSecure) await cluster.#makeAccess(network!.address(HUB));
    await cluster.startScheduler();
    await Promise.all(workers.map(async (name) => await cluster.startWorker(name)));
    return cluster;
  }

  get access(): Access {
    return JSON.parse(readFileSync(this.accessFile, "utf8")) as Access;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  async #makeAccess(host: string): Promise<void> {
    const args = ["access", "new", "--host", host, "--port", String(this.#port), "--out", this.accessFile];
    expect((await new Program("scheduler/main.js", args, {}).ended).status).toBe(0);
  }

  /** Where a program runs. */
  within(host = HUB): ProgramOptions {
    return this.#network === undefined ? {} : { within: this.#network.within(host) };
  }

  /** The first on a free port, those that follow on the same one and the same journal. */
  async startScheduler({ dist }: Pick<LaunchOptions, "dist"> = {}): Promise<void> {
    const files = ["--journal", this.journal, "--access-file", this.accessFile];
    // Harmless with TLS.
    const at = this.#network === undefined ? [] : ["--host", this.#network.address(HUB), "--insecure"];
    const args = ["--json", "--port", String(this.#port), ...at, ...files];
    const scheduler = new Program("scheduler/main.js", args, {
      ...this.within(),
      ...(dist !== undefined && { dist }),
    });
    this.scheduler = scheduler;
    this.#schedulers.push(scheduler);
    const isUp = (): boolean => scheduler.output.stdout.includes("\n}");
    await eventually(
      () => isUp() || !scheduler.isRunning,
      () => "the scheduler starts",
    );
    expect(isUp(), scheduler.output.stderr).toBe(true);
    this.#port = (JSON.parse(scheduler.output.stdout) as { port: number }).port;
  }

  /** Starts a worker of one thread and waits until it has joined. */
  async startWorker(name: string, ...more: readonly string[]): Promise<FaultWorker> {
    const worker = this.launchWorker(name, more);
    const { output } = worker.program;
    await eventually(
      () => output.stderr.includes("connected to the scheduler") || !worker.program.isRunning,
      () => `worker ${name} joins: ${output.stderr}`,
    );
    return worker;
  }

  /** Starts a worker and waits for nothing. */
  launchWorker(name: string, more: readonly string[] = [], { dist, host }: LaunchOptions = {}): FaultWorker {
    const scratch = join(this.folder, `scratch-${this.workers.length}`);
    mkdirSync(scratch);
    const args = ["--access-file", this.accessFile, "--kinds", TEST_KINDS, "--scratch", scratch, "--name", name];
    const program = new Program("worker/main.js", [...args, "--threads", "1", ...more], {
      ...this.within(host),
      ...(dist !== undefined && { dist }),
    });
    const worker: FaultWorker = {
      name,
      program,
      scratch,
      process: async () => {
        await eventually(
          () => program.descendants().length > 0,
          () => `worker ${name} has a process`,
        );
        return program.descendants()[0]!;
      },
    };
    this.workers.push(worker);
    return worker;
  }

  /** A client in this process. */
  async client(): Promise<ClientClass> {
    const client = await Client.connect(this.url, { accessFile: this.accessFile, kinds: [TEST_KINDS] });
    this.#clients.push(client);
    return client;
  }

  async health(): Promise<SchedulerHealth> {
    const headers = { authorization: `Bearer ${this.access.clientToken}` };
    const answer = await fetch(`${this.url.replace("ws", "http")}/health`, { headers });
    return (await answer.json()) as SchedulerHealth;
  }

  /** Options with which a command reaches this scheduler. */
  get reach(): readonly string[] {
    return ["--access-file", this.accessFile];
  }

  /** kill -9 of everything that runs, at one moment. Clients are no part of it. */
  async killAll(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.close();
    await Promise.all([...this.#schedulers, ...this.workers.map(({ program }) => program)].map((one) => one.kill()));
  }

  /**
   * Asks everything to leave, and expects that it does, and leaves nothing behind. A worker that the test has killed cannot
   * have cleared up; all others have.
   */
  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.close();
    const leaving = this.workers.filter(({ program }) => program.isRunning);
    for (const { program } of leaving) program.signal("SIGTERM");
    for (const { name, program } of leaving)
      expect(await program.ended, `worker ${name}: ${program.output.stderr}`).toEqual({ status: 0, signal: null });
    this.scheduler.signal("SIGTERM");
    expect(await this.scheduler.ended, this.scheduler.output.stderr).toEqual({ status: 0, signal: null });
    for (const { program } of this.workers)
      await eventually(
        () => program.descendants().length === 0,
        () => `${program.descendants().join()} ends`,
      );
    expect(
      leaving.flatMap(({ scratch }) => readdirSync(scratch)),
      "temporary files",
    ).toEqual([]);
    // A network of its own goes with all that is open in it.
    if (this.#network === undefined)
      await eventually(
        () => openSockets(this.#port).length === 0,
        () => openSockets(this.#port).join(),
      );
    running.delete(this);
  }

  /**
   * How often each task of the journal was made finished, by `job/task`; only after `stop()`.
   */
  async finishedByTask(): Promise<Map<string, number>> {
    const unexpected = (error: unknown): never => expect.unreachable(String(error));
    const keeping = await keepInJournal(this.journal, {
      onDurable: () => undefined,
      onStatus: () => undefined,
      onFatal: unexpected,
    });
    const times = new Map<string, number>();
    for (const record of keeping.recover())
      if (record.type === "finished")
        for (const task of record.tasks)
          times.set(`${record.job}/${task}`, (times.get(`${record.job}/${task}`) ?? 0) + 1);
    await keeping.close();
    return times;
  }
}

/** All ends of a job, by index; each is told once. */
export async function endsOf(job: ClusterJob): Promise<TaskEnd[]> {
  const ends: TaskEnd[] = [];
  for await (const batch of job.ends())
    for (const end of batch) {
      expect(ends[end.index], `task ${end.index} is told twice`).toBeUndefined();
      ends[end.index] = end;
    }
  return ends;
}
