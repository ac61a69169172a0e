/**
 * What brings a cluster up on machines of one kind: this one, hosts by ssh, a Slurm. Everything that such clusters have in
 * common is done for the engine (`operate.ts`): the folder and the record of a cluster, one command at a time, waiting until
 * workers have joined, tables and JSON. Another engine is one file that fills this interface, and its name in `engines.ts`.
 */
import type { ArgumentSpec, Given, OptionSpec } from "../../common/command-line/command.ts";

/**
 * Each act brings about a state, however much of it there is already: a command that was cut off is given again.
 *
 * `Options` are what `start` was asked for, `Kept` is what the engine must know later; both are plain JSON, without secrets.
 */
export interface Engine<Options = unknown, Kept = unknown> {
  /** As typed, and the name of a cluster without one: `slurm`. */
  readonly name: string;
  /** Where such a cluster runs, as the end of a sentence: `on this machine`. */
  readonly where: string;
  /** Of `start`, besides the options that every engine takes (`start.ts` of the command). */
  readonly argument?: ArgumentSpec;
  readonly options: readonly OptionSpec[];
  /** Of `start`; lines that work when pasted. */
  readonly examples: readonly string[];
  /** How long workers may take to join where nobody says. */
  readonly joinSeconds: number;

  /**
   * Reads and checks what `start` was asked for; touches no machine.
   *
   * @throws {PeError} `PE_PARAMETER`
   */
  read(given: Given): Promise<Asked<Options>>;

  /**
   * Has the scheduler running, and no more workers than before. When it resolves, the access file of the cluster is there and
   * the scheduler answers.
   *
   * @throws {PeError} Nothing of this call runs then, as far as the engine can tell.
   */
  start(cluster: ManagedCluster<Options, Kept>): Promise<void>;

  /**
   * Has so many workers running, or asked for where there is a queue: starts those that are missing, also in the place of
   * dead ones, and lets the last ones leave, and waits until those have. Does not wait until new ones have joined.
   *
   * @param drainSeconds How long those that leave may finish what they run.
   * @throws {PeError} When some could not be started or ended; the others were.
   */
  scale(cluster: ManagedCluster<Options, Kept>, workers: number, drainSeconds: number): Promise<void>;

  /**
   * What there is of the cluster, and how it is.
   *
   * @param words Whether to fetch the last lines of the log of each member, too.
   */
  list(cluster: ManagedCluster<Options, Kept>, words: boolean): Promise<readonly Member[]>;

  /**
   * Ends everything: workers finish what they run first, then the scheduler. Removes what the engine made, on all machines:
   * secrets always; journal, logs and copies of the package with `purge` alone. The folder of the cluster is not its business.
   *
   * @throws {PeError} When something may still run; the rest has ended.
   */
  stop(cluster: ManagedCluster<Options, Kept>, how: Stopping): Promise<void>;
}

export interface Stopping {
  /** How long workers may finish what they run. */
  readonly drainSeconds: number;
  readonly purge: boolean;
}

export interface Asked<Options> {
  readonly options: Options;
  /** Where `--workers` is not given. */
  readonly workers: number;
}

/** A cluster as its engine sees it. */
export interface ManagedCluster<Options = unknown, Kept = unknown> {
  /** 1 to 40 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** Of this cluster alone, on this machine, 0700. Files of `clusterFiles` are for all engines, others are the engine's. */
  readonly folder: string;
  readonly options: Options;
  /** How many it is to have. */
  readonly workers: number;
  /** Of the scheduler; undefined: the engine finds one. */
  readonly port: number | undefined;
  /** For every `pe-worker`: `--threads 16 --kinds DIR`. */
  readonly workerArguments: readonly string[];
  /** What was kept last. */
  readonly kept: () => Kept | undefined;
  /** Durable when it resolves: numbers of jobs, the port that was free. */
  keep(kept: Kept): Promise<void>;
  /** A line about what is going on, for people. */
  readonly tell: (text: string) => void;
}

/** The scheduler or a worker. */
export interface Member {
  readonly role: "scheduler" | "worker";
  /** Of a worker: what it calls itself at the scheduler. */
  readonly name: string;
  readonly host: string;
  /** As its machine calls it, such as `process 4711` or `job 12_3`; absent when there is none. */
  readonly process?: string;
  readonly state: MemberState;
  /** Why it is not running, for people. */
  readonly reason?: string;
  /** Last lines of its log, where they were asked for and there are any. */
  readonly words?: string;
}

/**
 * `running`: its process is there. `waiting`: it will come, such as a job in a queue. `gone`: it should run, and does not.
 * `unreachable`: its machine does not answer.
 */
export type MemberState = "running" | "waiting" | "gone" | "unreachable";
