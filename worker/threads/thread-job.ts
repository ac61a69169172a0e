/** What a thread keeps of a job from one frame to the next: the kind, set up, and what the tasks share, decoded. */
import { PeError } from "../../common/errors.ts";
import { openPartStore, type PartStore } from "../../data/part-store.ts";
import { decodeJobCommon } from "../../tasks/job-common.ts";
import type { Kind } from "../../tasks/kind.ts";
import { openedStores } from "../inputs/opened-stores.ts";
import type { OpenStore } from "../inputs/content-reader.ts";
import { parse } from "../../tasks/parse.ts";
import { createKinds, type Kinds } from "../../tasks/registry.ts";
import type { DeliveredFrame, ThreadData } from "./frame.ts";

export interface ThreadJob {
  /** Another for every other job of the pool. */
  readonly number: number;
  readonly kind: Kind;
  readonly common: unknown;
  readonly partsUrl: string | null;
  readonly store: PartStore | undefined;
  /** Of uploaded inputs. */
  readonly openStore: OpenStore;
}

/** Jobs whose common part is kept decoded. */
const JOBS_MAX = 16;

export class ThreadJobs {
  readonly #data: ThreadData;
  readonly #openStore: OpenStore;
  #kinds: Promise<Kinds> | undefined;
  /** By name, set up. */
  readonly #ready = new Map<string, Promise<Kind>>();
  /** By number of the common part, least recently used first. */
  readonly #jobs = new Map<number, ThreadJob>();

  constructor(data: ThreadData) {
    this.#data = data;
    this.#openStore = openedStores(data.partAccess);
  }

  /** @throws {PeError} `PE_KIND` naming the file that cannot be used. */
  async kinds(): Promise<Kinds> {
    return await (this.#kinds ??= createKinds({ folders: this.#data.kinds }));
  }

  /** @throws {PeError} `PE_KIND`, `PE_PARAMETER`, and what the kind's `setup` throws. */
  async get({ kind: name, version, common: { number, bytes } }: DeliveredFrame): Promise<ThreadJob> {
    const known = this.#jobs.get(number);
    if (known !== undefined) {
      this.#jobs.delete(number);
      this.#jobs.set(number, known);
      return known;
    }
    const kind = await this.#setUp(name, version);
    // The decoder wants memory of its own.
    const { parts, common } = decodeJobCommon(new Uint8Array(bytes).slice());
    const job: ThreadJob = {
      number,
      kind,
      common: kind.common === undefined ? common : parse(kind.common, common, `common part of a ${name} job`),
      partsUrl: parts,
      store: parts === null ? undefined : openPartStore(parts, this.#data.partAccess),
      openStore: this.#openStore,
    };
    this.#jobs.set(number, job);
    if (this.#jobs.size > JOBS_MAX) this.#jobs.delete(this.#jobs.keys().next().value!);
    return job;
  }

  async #setUp(name: string, version: string | undefined): Promise<Kind> {
    const kinds = await this.kinds();
    if (kinds.version(name) !== version)
      throw new PeError(
        "PE_KIND",
        `Cannot run a task of kind "${name}": its file is not the one that the worker began with; restart the worker`,
      );
    let kind = this.#ready.get(name);
    if (kind === undefined) {
      kind = kinds.load(name).then(async (loaded) => {
        await loaded.setup?.();
        return loaded;
      });
      this.#ready.set(name, kind);
      // The next task tries again.
      kind.catch(() => this.#ready.delete(name));
    }
    return await kind;
  }
}
