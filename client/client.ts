/** The client of a cluster: futures, durable jobs, status. */
import { hostname } from "node:os";
import { PeError } from "../common/errors.ts";
import type { SchedulerToClient } from "../protocol/client-link.ts";
import { createKinds, type Kinds } from "../tasks/registry.ts";
import { Future } from "./futures/future.ts";
import { gather } from "./futures/gather.ts";
import { asCompleted } from "./futures/gathering.ts";
import { LooseTasks } from "./futures/loose-tasks.ts";
import { persist, replicate, whoHas, type ReplicateOptions, type ValueHolders } from "./futures/value-requests.ts";
import { findJob, openJob, type ClusterJob, type JobDescription, type Ties } from "./cluster-job.ts";
import { startLocalCluster, type LocalOptions } from "./local-cluster.ts";
import { connectClient, grantFor } from "./session/connect.ts";
import type { ClientConnection } from "./session/link.ts";
import { SchedulerSession } from "./session/session.ts";
import { tellStandstill } from "./session/standstill.ts";
import type { TaskOptions } from "./task-options.ts";
import { clusterWays, type DataWays } from "./values/data-ways.ts";
import { scatter, type ScatterOptions } from "./values/scatter.ts";
import { ValueFetcher } from "./values/value-fetcher.ts";

type StatusMessage = Extract<SchedulerToClient, { type: "statusIs" }>;

/** Jobs, the last 1000, and workers, the first 1024, as the scheduler sees them now. */
export interface ClusterStatus {
  readonly jobs: readonly Omit<StatusMessage["jobs"][number], "job">[];
  readonly workers: StatusMessage["workers"];
}

export interface ConnectOptions {
  /** Of the scheduler; by default what `PE_ACCESS_FILE` names, else what a scheduler on this machine wrote. */
  readonly accessFile?: string | undefined;
  /** In place of an access file; then an address is needed too. */
  readonly token?: string | undefined;
  /** Certificates (PEM) that alone are trusted. */
  readonly ca?: string | undefined;
  /** Folders of kinds, the same files as the workers have: their hash is part of the version. */
  readonly kinds?: readonly string[] | undefined;
  /** Of this client, for status pages and logs. */
  readonly name?: string | undefined;
  /** Told when what this client waits for cannot run now, such as tasks of a kind that no worker has; a warning of the process by default. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Gives up the first connection; those that follow are made until `close`. */
  readonly signal?: AbortSignal | undefined;
}

const NAME_LENGTH_MAX = 128;

/** What is behind a client: a cluster, or one of its own. */
interface Surroundings {
  readonly kinds: Kinds;
  readonly ways: DataWays;
  drain(): Promise<void>;
  close(): Promise<void>;
}

export class Client {
  readonly #session: SchedulerSession;
  readonly #around: Surroundings;
  readonly #ties: Ties;
  readonly #tasks: LooseTasks;

  private constructor(session: SchedulerSession, around: Surroundings, onWarning: (text: string) => void = warn) {
    this.#session = session;
    this.#around = around;
    const values = new ValueFetcher(session, around.ways.fetchValue);
    this.#ties = { session, values };
    this.#tasks = new LooseTasks(session, (kind, version) => this.#versionOf(kind, version), values);
    tellStandstill(session, { tell: onWarning });
  }

  /**
   * Connects to a scheduler. A connection that is lost is made again, for ever: futures and jobs keep waiting.
   *
   * @param url `ws://host:8786` or `wss://host:8786`; by default that of the access file.
   * @throws {PeError} `PE_CONNECTION` when nobody answers, `PE_ACCESS`, `PE_VERSION`, `PE_KIND`
   * @example
   * await using client = await Client.connect("ws://127.0.0.1:8786");
   */
  static async connect(url?: string, options: ConnectOptions = {}): Promise<Client> {
    const { kinds: folders = [], name = clientName(), signal } = options;
    const kinds = await createKinds({ folders });
    let grant = await grantFor(url, options);
    const connect = async (trying: AbortSignal): Promise<ClientConnection> =>
      await connectClient((grant = await grantFor(url, options)), trying);
    const session = await SchedulerSession.open({ connect, name: name.slice(0, NAME_LENGTH_MAX) }, signal);
    const ways = clusterWays(() => grant);
    const drain = async (): Promise<void> => undefined;
    const close = async (): Promise<void> => await ways.close();
    return new Client(session, { kinds, ways, drain, close }, options.onWarning);
  }

  /**
   * A scheduler and workers in this process, over connections in memory: the same cores and threads as in a cluster.
   *
   * @throws {PeError} `PE_PARAMETER`, `PE_KIND`, `PE_OUTPUT_BUSY` when another process has the journal.
   * @example
   * await using client = await Client.local({ kinds: ["my-kinds"] });
   * console.log(await client.submit("square", 7).result());
   */
  static async local(options: LocalOptions = {}): Promise<Client> {
    const kinds = await createKinds({ folders: options.kinds ?? [] });
    const cluster = await startLocalCluster(options);
    const session = await SchedulerSession.open({ connect: async () => cluster.connectClient(), name: clientName() });
    void cluster.failed.then((error) => session.fail(error));
    return new Client(session, { kinds, ...cluster }, options.onWarning);
  }

  /**
   * One task. Futures among its parameters, at any depth, stand for their results. It is sent at the end of this turn of the
   * event loop, with all that is submitted until then.
   *
   * @throws {PeError} `PE_KIND` when this client does not know the kind; `PE_PARAMETER` when parameters cannot travel;
   * `PE_JOB_CONFLICT` when the key is known with other parameters; `PE_LIMIT`.
   * @example
   * const sum = client.submit("add", [client.submit("square", 3), client.submit("square", 4)]);
   * console.log(await sum.result()); // 25
   */
  submit<Result = unknown>(kind: string, parameters?: unknown, options?: TaskOptions): Future<Result> {
    return this.#tasks.submit(kind, parameters, options) as Future<Result>;
  }

  /** One task for each of the parameters; all have the same options. */
  map<Result = unknown>(kind: string, parameters: Iterable<unknown>, options?: TaskOptions): Future<Result>[] {
    return this.#tasks.map(kind, parameters, options) as Future<Result>[];
  }

  /**
   * Results in the order of the futures.
   *
   * @throws {PeError} As soon as one has failed or was cancelled: why. The others go on.
   */
  async gather<Result = unknown>(futures: Iterable<Future<Result>>): Promise<Result[]> {
    return (await gather([...futures])) as Result[];
  }

  /** Futures in the order in which they end, whichever way. */
  asCompleted<Result = unknown>(futures: Iterable<Future<Result>>): AsyncIterable<Future<Result>> {
    return asCompleted([...futures]);
  }

  /** Asks for tasks to be cancelled; those that have ended stay as they are, those that need them fail. */
  cancel(futures: Iterable<Future> | Future): void {
    this.#tasks.cancel(listOf(futures));
  }

  /** Runs failed and cancelled tasks again, and those they need that failed or were cancelled. */
  retry(futures: Iterable<Future> | Future): void {
    this.#tasks.retry(listOf(futures));
  }

  /**
   * Data of this program for tasks: a future of each of a list, or of what is given, at once or with its content known here
   * already; the same content is the same task. They are stored with the scheduler (of a local cluster: in a folder for
   * temporary files) until this client leaves, so that they outlive any worker. Not to be changed before this resolves.
   *
   * @throws {PeError} `PE_PARAMETER` when data cannot travel, `PE_LIMIT` for more than 2 GiB, `PE_DISK_FULL`
   * @example
   * const image = await client.scatter(new Float64Array(4096 * 4096), { broadcast: true });
   * const means = client.map("mean", rows.map((row) => ({ image, row })));
   */
  async scatter<Data>(data: readonly Data[], options?: ScatterOptions): Promise<Future<Data>[]>;
  async scatter<Data>(data: Data, options?: ScatterOptions): Promise<Future<Data>>;
  async scatter(data: unknown, { workers, broadcast = false }: ScatterOptions = {}): Promise<Future[] | Future> {
    const list: readonly unknown[] = Array.isArray(data) ? data : [data];
    const futures = await scatter(this.#tasks, this.#around.ways, list, workers);
    if (broadcast) await replicate(this.#tasks, futures, workers === undefined ? {} : { workers });
    return Array.isArray(data) ? futures : futures[0]!;
  }

  /** Where the results of tasks are, in the order of the futures. */
  async whoHas(futures: Iterable<Future> | Future): Promise<ValueHolders[]> {
    return await whoHas(this.#tasks, listOf(futures));
  }

  /**
   * Has large results held by `copies` workers, by those named, or by all; resolves when they are, which may take copies of
   * copies. Small ones are everywhere anyway.
   *
   * @throws {PeError} What a task failed with; `PE_PARAMETER` for a worker that there is not.
   */
  async replicate(futures: Iterable<Future> | Future, options: ReplicateOptions = {}): Promise<void> {
    await replicate(this.#tasks, listOf(futures), options);
  }

  /** Large results are computed again as soon as they are lost, not only when somebody needs them. */
  async persist(futures: Iterable<Future> | Future): Promise<void> {
    await persist(this.#tasks, listOf(futures));
  }

  /** Results that are not wanted any more: as `Future.release` of each. */
  release(futures: Iterable<Future> | Future): void {
    for (const future of listOf(futures)) future.release();
  }

  /**
   * Opens a durable job, or joins the one of this id; resolves when the scheduler has all its tasks on its disk. From then
   * on it does not need this client.
   *
   * @throws {PeError} `PE_JOB_CONFLICT` when the id stands for something else, `PE_LIMIT`, `PE_PARAMETER`, `PE_KIND`
   */
  async openJob(description: JobDescription): Promise<ClusterJob> {
    const { kind, version } = description;
    return await openJob(this.#ties, description, this.#versionOf(kind, version));
  }

  /** The durable job of this id, whoever opened it; undefined where the scheduler has none. */
  async findJob(id: string): Promise<ClusterJob | undefined> {
    return await findJob(this.#ties, id);
  }

  /**
   * Last transitions of a task, oldest first: of a future, of a task of a job, or of the task, of any client, that has a key.
   *
   * @throws {PeError} `PE_JOB_UNKNOWN`
   */
  async story(
    task: Future | { readonly job: string; readonly index: number } | { readonly key: string },
  ): Promise<string[]> {
    if (task instanceof Future) return await task.story();
    if ("key" in task) {
      const ofKey = { type: "story", job: 0, task: 0, key: task.key } as const;
      return [...(await this.#session.run((link) => link.ask(ofKey))).lines];
    }
    const job = await this.findJob(task.job);
    if (job === undefined)
      throw new PeError("PE_JOB_UNKNOWN", `Cannot tell the story of a task of job "${task.job}": there is no such job`);
    return await job.story(task.index);
  }

  async status(): Promise<ClusterStatus> {
    const { jobs, workers } = await this.#session.run((link) => link.ask({ type: "status" }));
    return { jobs: jobs.map(({ job: _, ...rest }) => rest), workers };
  }

  /** Of a local cluster: what runs finishes and is told, nothing new begins. Close it next. */
  async drain(): Promise<void> {
    await this.#around.drain();
  }

  /** Ends the connection; of a local cluster also its threads. What still waits is rejected with `PE_CLOSED`. */
  async close(): Promise<void> {
    this.#tasks.abandon();
    await this.#session.close();
    await this.#around.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws {PeError} `PE_KIND` for a kind that this client does not have. */
  #versionOf(kind: string, version = this.#around.kinds.version(kind)): string {
    if (version !== undefined) return version;
    const known = this.#around.kinds
      .list()
      .map(({ name }) => name)
      .join(", ");
    throw new PeError(
      "PE_KIND",
      `Cannot submit tasks of kind "${kind}": this client knows ${known}; give it the folder of the kind (kinds), or the version that workers have`,
    );
  }
}

function listOf(futures: Iterable<Future> | Future): Future[] {
  return futures instanceof Future ? [futures] : [...futures];
}

function warn(text: string): void {
  process.emitWarning(text, "PeClusterWarning");
}

function clientName(): string {
  return `${hostname()}:${process.pid}`.slice(-NAME_LENGTH_MAX);
}
