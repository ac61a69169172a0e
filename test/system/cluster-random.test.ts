/**
 * Goal: whatever dies or stops, in whatever order, a job ends with the maps of an undisturbed run, bit for bit.
 * Method: at random moments a random fault (a process of the cluster killed, or frozen for a while, or everything killed),
 * started again after a random pause, until the job has ended; then nothing may be lost, doubled or left behind.
 * Replay: a round prints its seed and its faults; put the seed into SEEDS. `npm run test:faults` makes many more rounds.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { Random } from "../../common/random.ts";
import { HOOK_MS, type Outcome } from "../support/client.ts";
import { FaultCluster } from "../support/cluster-faults.ts";
import {
  expectUndisturbed,
  makeMaps,
  submitMaps,
  type FaultMaps,
  type SubmittedMaps,
} from "../support/cluster-maps.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";

const ROUNDS = Number(process.env.PE_FAULT_ROUNDS ?? 1);
const SEED_FIRST = Number(process.env.PE_FAULT_SEED ?? 301);
const SEEDS = Array.from({ length: ROUNDS }, (_, round) => SEED_FIRST + round);
/** Then the job may end in peace: enough to meet several of its moments. */
const FAULTS = 7;
const PAUSE_MS_MAX = 900;
const AWAY_MS_MAX = 500;
/** Some are shorter than what makes a worker suspect, some longer than what makes it lost. */
const FROZEN_MS_MAX = 7000;
const WORKERS = ["a", "b"];

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps();
}, HOOK_MS);

/** One cluster, one job, and the processes that live now. */
class Round {
  readonly cluster: FaultCluster;
  readonly #random: Random;
  submitted: SubmittedMaps;
  readonly history: string[] = [];
  readonly #frozen: Promise<void>[] = [];

  constructor(cluster: FaultCluster, seed: number) {
    this.cluster = cluster;
    this.#random = new Random(seed);
    this.submitted = submitMaps(cluster, maps);
  }

  async run(): Promise<Outcome> {
    for (let fault = 0; fault < FAULTS; fault++) {
      await this.#wait(PAUSE_MS_MAX);
      const [name, act] = this.#draw();
      this.history.push(name);
      await act();
    }
    await Promise.all(this.#frozen);
    await this.#allJoined();
    const outcome = await this.submitted.client.outcome;
    // Killed, or it found no scheduler when it began: another joins the job.
    if (outcome.signal === null && !outcome.stderr.includes("[PE_CONNECTION]")) return outcome;
    this.submitted = submitMaps(this.cluster, maps);
    return await this.submitted.client.outcome;
  }

  /** Whoever is asked to leave before it can hear it does not leave by itself. */
  async #allJoined(): Promise<void> {
    const workers = this.cluster.workers.filter(({ program }) => program.isRunning);
    await eventually(
      () => workers.every(({ program }) => program.output.stderr.includes("connected to the scheduler")),
      () => `all join: ${workers.map(({ program }) => program.output.stderr).join()}`,
    );
  }

  #draw(): [name: string, act: () => Promise<void>] {
    const name = WORKERS[this.#random.integer(WORKERS.length)]!;
    const worker = this.cluster.workers.findLast((one) => one.name === name)!;
    const faults: [string, () => Promise<void>][] = [
      [`kill the process of ${name}`, async () => signalProcess(await worker.process(), "SIGKILL")],
      [`kill ${name}`, async () => await this.#restart(worker.program.kill(), async () => await this.#start(name))],
      [`freeze ${name}`, async () => this.#freeze(await worker.process())],
      ["kill the scheduler", async () => await this.#restart(this.cluster.scheduler.kill(), this.#startScheduler)],
      ["freeze the scheduler", async () => this.#freeze(this.cluster.scheduler.pid)],
      ["kill the client", async () => await this.#submitAgain()],
      ["freeze the client", async () => this.#freeze(this.submitted.client.child.pid!)],
      ["kill everything", async () => await this.#killEverything()],
    ];
    return faults[this.#random.integer(faults.length)]!;
  }

  readonly #startScheduler = async (): Promise<void> => await this.cluster.startScheduler();

  async #start(name: string): Promise<void> {
    // Not joined yet, where the scheduler is frozen.
    this.cluster.launchWorker(name);
    await sleep(0);
  }

  async #restart(killed: Promise<void>, start: () => Promise<void>): Promise<void> {
    await killed;
    await this.#wait(AWAY_MS_MAX);
    await start();
  }

  /** Goes on by itself after a while; other faults come meanwhile. */
  #freeze(pid: number): void {
    signalProcess(pid, "SIGSTOP");
    const frozenMs = this.#random.uniform() * FROZEN_MS_MAX;
    this.#frozen.push(sleep(frozenMs).then(() => signalProcess(pid, "SIGCONT")));
  }

  async #submitAgain(): Promise<void> {
    const { client } = this.submitted;
    client.child.kill("SIGKILL");
    await client.outcome;
    this.submitted = submitMaps(this.cluster, maps);
  }

  async #killEverything(): Promise<void> {
    this.submitted.client.child.kill("SIGKILL");
    await Promise.all([this.cluster.killAll(), this.submitted.client.outcome]);
    await this.#wait(AWAY_MS_MAX);
    await this.cluster.startScheduler();
    for (const name of WORKERS) await this.#start(name);
    this.submitted = submitMaps(this.cluster, maps);
  }

  async #wait(msMax: number): Promise<void> {
    await sleep(this.#random.uniform() * msMax);
  }
}

test.each(SEEDS)("random faults to a cluster change no bit of its maps (seed %i)", async (seed) => {
  const cluster = await FaultCluster.start({ workers: WORKERS });
  const round = new Round(cluster, seed);
  try {
    const outcome = await round.run();
    expect(outcome.status, outcome.stderr).toBe(0);
    await expectUndisturbed(cluster, maps, round.submitted.output, outcome);
  } finally {
    console.log(`seed ${seed}: ${round.history.join(", ")}`);
  }
});
