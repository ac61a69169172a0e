/** The client of a cluster: futures, durable jobs, status. */
import { hostname } from "node:os";
import { PeError } from "../common/errors.ts";
import type { SchedulerToClient } from "../protocol/client-link.ts";
import { createKinds, type Kinds } from "../tasks/registry.ts";
import { findJob, openJob, type ClusterJob, type JobDescription } from "./cluster-job.ts";
import { startLocalCluster, type LocalOptions } from "./local-cluster.ts";
import { SchedulerSession } from "./session/session.ts";

type StatusMessage = Extract<SchedulerToClient, { type: "statusIs" }>;

/** Jobs, the last 1000, and workers, the first 1024, as the scheduler sees them now. */
export interface ClusterStatus {
  readonly jobs: readonly Omit<StatusMessage["jobs"][number], "job">[];
  readonly workers: StatusMessage["workers"];
}

const NAME_LENGTH_MAX = 128;

export class Client {
  readonly #session: SchedulerSession;
  readonly #kinds: Kinds;
  readonly #onDrain: () => Promise<void>;
  readonly #onClose: () => Promise<void>;

  private constructor(
    session: SchedulerSession,
    kinds: Kinds,
    { drain, close }: { drain(): Promise<void>; close(): Promise<void> },
  ) {
    this.#session = session;
    this.#kinds = kinds;
    this.#onDrain = drain;
    this.#onClose = close;
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
    let session: SchedulerSession | undefined;
    let failure: PeError | undefined;
    const cluster = await startLocalCluster(options, (error) => {
      failure ??= error;
      session?.fail(error);
    });
    session = await SchedulerSession.open({ connect: async () => cluster.connectClient(), name: clientName() });
    if (failure !== undefined) session.fail(failure);
    return new Client(session, kinds, cluster);
  }

  /**
   * Opens a durable job, or joins the one of this id; resolves when the scheduler has all its tasks on its disk. From then
   * on it does not need this client.
   *
   * @throws {PeError} `PE_JOB_CONFLICT` when the id stands for something else, `PE_LIMIT`, `PE_PARAMETER`, `PE_KIND`
   */
  async openJob(description: JobDescription): Promise<ClusterJob> {
    const { kind, version } = description;
    return await openJob(this.#session, description, this.#versionOf(kind, version));
  }

  /** The durable job of this id, whoever opened it; undefined where the scheduler has none. */
  async findJob(id: string): Promise<ClusterJob | undefined> {
    return await findJob(this.#session, id);
  }

  async status(): Promise<ClusterStatus> {
    const { jobs, workers } = await this.#session.run((link) => link.ask({ type: "status" }));
    return { jobs: jobs.map(({ job: _, ...rest }) => rest), workers };
  }

  /** Of a local cluster: what runs finishes and is told, nothing new begins. Close it next. */
  async drain(): Promise<void> {
    await this.#onDrain();
  }

  /** Ends the connection; of a local cluster also its threads. What still waits is rejected with `PE_CLOSED`. */
  async close(): Promise<void> {
    await this.#session.close();
    await this.#onClose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws {PeError} `PE_KIND` for a kind that this client does not have. */
  #versionOf(kind: string, version = this.#kinds.version(kind)): string {
    if (version !== undefined) return version;
    const known = this.#kinds
      .list()
      .map(({ name }) => name)
      .join(", ");
    throw new PeError(
      "PE_KIND",
      `Cannot submit tasks of kind "${kind}": this client knows ${known}; give it the folder of the kind (kinds), or the version that workers have`,
    );
  }
}

function clientName(): string {
  return `${hostname()}:${process.pid}`.slice(-NAME_LENGTH_MAX);
}
