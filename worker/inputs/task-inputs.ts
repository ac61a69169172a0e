/** Which inputs tasks will ask for, as their kind names them. */
import { storeForAll } from "../../data/part-store.ts";
import { decodeJobCommon } from "../../tasks/job-common.ts";
import type { Kind } from "../../tasks/kind.ts";
import { parse } from "../../tasks/parse.ts";
import { createKinds, type Kinds } from "../../tasks/registry.ts";
import { parametersOf } from "../threads/frame-parameters.ts";
import type { NamedInput, TasksToName } from "./reader-messages.ts";

/** Jobs whose common part is kept decoded. */
const JOBS_MAX = 16;

interface NamingJob {
  readonly kind: Kind;
  readonly common: unknown;
  /** URL of its store of parts. */
  readonly store: string | undefined;
}

export class TaskInputs {
  readonly #folders: readonly string[];
  #kinds: Promise<Kinds> | undefined;
  /** By number of the common part, the oldest first. */
  readonly #jobs = new Map<number, NamingJob | undefined>();

  /** @param folders Of kinds. */
  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** In the order of the tasks. None of what cannot be named: the tasks will say why. */
  async name(tasks: TasksToName): Promise<NamedInput[]> {
    const job = await this.#job(tasks).catch(() => undefined);
    const inputs: NamedInput[] = [];
    if (job?.kind.inputs === undefined) return inputs;
    const { kind, common, store } = job;
    for (let place = 0; place < tasks.parameters.ends.length; place++)
      try {
        const parameters = parametersOf(tasks, place);
        const checked = kind.schema === undefined ? parameters : parse(kind.schema, parameters, "parameters");
        inputs.push(...kind.inputs!(checked, common).map((input) => ({ ...input, store })));
      } catch {
        continue;
      }
    return inputs;
  }

  async #job({ kind: name, version, common: { number, bytes } }: TasksToName): Promise<NamingJob | undefined> {
    if (this.#jobs.has(number)) return this.#jobs.get(number);
    this.#kinds ??= createKinds({ folders: this.#folders });
    const kinds = await this.#kinds;
    const job = kinds.version(name) === version ? await decoded(await kinds.load(name), bytes) : undefined;
    this.#jobs.set(number, job);
    if (this.#jobs.size > JOBS_MAX) this.#jobs.delete(this.#jobs.keys().next().value!);
    return job;
  }
}

async function decoded(kind: Kind, bytes: SharedArrayBuffer): Promise<NamingJob> {
  // The decoder wants memory of its own.
  const { parts, common } = decodeJobCommon(new Uint8Array(bytes).slice());
  return await Promise.resolve({
    kind,
    store: parts === null ? undefined : storeForAll(parts),
    common: kind.common === undefined ? common : parse(kind.common, common, "common part"),
  });
}
