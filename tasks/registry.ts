/**
 * The kinds that a process can run: those of this house, and those of a user's folders (docs/kinds.md).
 *
 * A kind of a user is the default export of a `.js` or `.mjs` file: a function that gets the API and returns the kind. On
 * the wire its version ends with a hash of the file, so that workers with different files are told apart.
 */
import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as valibot from "valibot";
import { asPeError, PeError } from "../common/errors.ts";
import type * as Kernel from "../kernel/index.ts";
import type { Kind } from "./kind.ts";
import { PE_VERSION } from "./pe/version.ts";
import { SCATTER_VERSION } from "./scatter/version.ts";
import { SIMULATE_VERSION } from "./simulate/version.ts";

/** A kind as workers and jobs name it. */
export interface KindVersion {
  readonly name: string;
  readonly version: string;
  /** The same parameters need not give the same result. */
  readonly impure?: boolean;
}

/** A kind as the threads that run it know it. */
export interface KnownKind extends KindVersion {
  /** It names the inputs of its tasks before they run: `Kind.inputs`. */
  readonly namesInputs?: boolean;
}

export interface Kinds {
  /** In the order of their names. */
  list(): readonly KnownKind[];
  /** Loads the code on first use. @throws {PeError} `PE_KIND` for a name that is unknown. */
  load(name: string): Promise<Kind>;
  version(name: string): string | undefined;
}

/** What the function of a user's file gets. */
export interface KindApi extends Readonly<typeof Kernel> {
  readonly PeError: typeof PeError;
  readonly valibot: typeof valibot;
}

interface Entry extends KnownKind {
  load(): Promise<Kind>;
}

const BUILT_IN: readonly Entry[] = [
  {
    name: "pe",
    version: PE_VERSION,
    impure: true,
    namesInputs: true,
    load: async () => (await import("./pe/run.ts")).pe,
  },
  {
    name: "scatter",
    version: SCATTER_VERSION,
    load: async () => (await import("./scatter/run.ts")).scatter,
  },
  {
    name: "simulate",
    version: SIMULATE_VERSION,
    load: async () => (await import("./simulate/index.ts")).simulate,
  },
];

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** With the hash it fits the field of the wire. */
const VERSION_LENGTH_MAX = 200;
const HASH_DIGITS = 16;

/**
 * @param folders Of kinds; every `.js` and `.mjs` file in them is one, in the order of folders and names.
 * @throws {PeError} `PE_KIND` naming the file that cannot be used.
 * @example
 * const kinds = await createKinds({ folders: ["my-kinds"] });
 */
export async function createKinds({ folders = [] }: { folders?: readonly string[] } = {}): Promise<Kinds> {
  const entries = new Map(BUILT_IN.map((entry) => [entry.name, { entry, path: "this program" }]));
  const files = await kindFiles(folders);
  const api: KindApi | undefined =
    files.length === 0 ? undefined : { ...(await import("../kernel/index.ts")), PeError, valibot };
  for (const path of files) {
    const entry = await loadFile(path, api!);
    const other = entries.get(entry.name);
    if (other !== undefined)
      throw refusal(path, `its name "${entry.name}" is taken by ${other.path}; give it another name`);
    entries.set(entry.name, { entry, path });
  }
  const names = [...entries.keys()].toSorted();
  return {
    list: () =>
      names.map((name) => {
        const { version, impure, namesInputs } = entries.get(name)!.entry;
        return { name, version, ...(impure === true && { impure }), ...(namesInputs === true && { namesInputs }) };
      }),
    load: async (name) => {
      const found = entries.get(name);
      if (found === undefined)
        throw new PeError("PE_KIND", `Cannot run a task of kind "${name}": known kinds are ${names.join(", ")}`);
      return await found.entry.load();
    },
    version: (name) => entries.get(name)?.entry.version,
  };
}

async function kindFiles(folders: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch((error: unknown) => {
      throw asPeError(error, "PE_KIND", `Cannot read the folder of kinds "${folder}"`);
    });
    for (const name of names.toSorted())
      if (/\.m?js$/.test(name) && !name.startsWith(".")) files.push(resolve(join(folder, name)));
  }
  return files;
}

async function loadFile(path: string, api: KindApi): Promise<Entry> {
  try {
    const sha256 = hash("sha256", await readFile(path), "hex");
    // The hash in the address ties what is loaded to what was hashed: another content is another module.
    const module = (await import(`${pathToFileURL(path).href}?sha256=${sha256}`)) as { default?: unknown };
    if (typeof module.default !== "function")
      throw refusal(path, "its default export is no function; it has to be (api) => ({ name, version, run })");
    const kind = checked(path, await (module.default as (api: KindApi) => unknown)(api));
    return {
      name: kind.name,
      version: `${kind.version}+${sha256.slice(0, HASH_DIGITS)}`,
      impure: kind.pure === false,
      namesInputs: kind.inputs !== undefined,
      load: async () => kind,
    };
  } catch (error) {
    throw asPeError(error, "PE_KIND", `Cannot load the kind in "${path}"`);
  }
}

function checked(path: string, value: unknown): Kind {
  const { name, version, run, setup, inputs } = (value ?? {}) as Partial<Record<keyof Kind, unknown>>;
  if (typeof name !== "string" || !NAME_PATTERN.test(name))
    throw refusal(path, `name is ${shown(name)}, not 1 to 64 letters, digits or ._-`);
  if (typeof version !== "string" || version.length === 0 || version.length > VERSION_LENGTH_MAX)
    throw refusal(path, `version is ${shown(version)}, not a text of at most ${VERSION_LENGTH_MAX} characters`);
  if (typeof run !== "function") throw refusal(path, "run is no function");
  if (setup !== undefined && typeof setup !== "function") throw refusal(path, "setup is no function");
  if (inputs !== undefined && typeof inputs !== "function") throw refusal(path, "inputs is no function");
  return value as Kind;
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : `a ${typeof value}`;
}

function refusal(path: string, reason: string): PeError {
  return new PeError("PE_KIND", `Cannot load the kind in "${path}": ${reason}`, { details: { path } });
}
