/**
 * What hosts get: this installation with its production dependencies in one tarball, so that they need neither npm nor the
 * internet; or a tarball of `npm run pack:cluster`.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { asPeError, PeError } from "../../../common/errors.ts";
import { replaceDurably } from "../../../data/durable.ts";
import { errnoOf } from "../../../data/errno.ts";

export interface Bundle {
  /** The same for the same content. */
  readonly id: string;
  /** Of the package within the tarball; `.` at the top. */
  readonly place: string;
  /** Path of the tarball, made when it is not there. @throws {PeError} `PE_ENGINE`, `PE_DISK_FULL` */
  file(): Promise<string>;
}

/** Folder of this package: above `dist`. */
const PACKAGE = fileURLToPath(new URL("../../../../", import.meta.url));
const ID_DIGITS = 16;
/** Of this installation, which stays as it is while a command runs. */
let ours: Promise<Installed> | undefined;

/**
 * @param given Tarball to take in place of this installation.
 * @param folder Where the tarball of this installation is kept; `removeBundles` removes it.
 * @throws {PeError} `PE_ENGINE` when this installation cannot be copied, or the file cannot be read.
 */
export async function openBundle(
  given: string | undefined,
  folder: string,
  tell: (text: string) => void,
): Promise<Bundle> {
  if (given !== undefined)
    return { id: await hashOf(given), place: ".", file: async () => await Promise.resolve(given) };
  const { base, paths, id } = await (ours ??= installed(PACKAGE));
  const place = relative(base, PACKAGE).replaceAll(sep, "/");
  const path = join(folder, `package-${id}.tgz`);
  let made: Promise<string> | undefined;
  const make = async (): Promise<string> => {
    if (await stat(path).catch(() => undefined)) return path;
    await removeBundles(folder);
    tell("packing this installation for hosts that have none");
    return await pack(path, base, paths);
  };
  return { id, place: place === "" ? "." : place, file: async () => await (made ??= make()) };
}

export async function removeBundles(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (/^package-.*\.tgz$/.test(name)) await rm(join(folder, name), { force: true });
}

interface Installed {
  /** Folder that holds everything. */
  readonly base: string;
  /** What goes along, within it. */
  readonly paths: readonly string[];
  readonly id: string;
}

/** The package in a folder and everything that it needs, as Node finds it from there. */
export async function installed(root: string): Promise<Installed> {
  const top = resolve(root);
  const names: string[] = [];
  const found = new Set([top]);
  for (const folder of found) {
    const { name, version, needs } = await readPackage(folder);
    names.push(`${relative(top, folder)} ${name} ${version}`);
    // What is not installed is optional, or not missed here either.
    for (const at of await Promise.all(needs.map(async (needed) => await find(needed, folder))))
      if (at !== undefined) found.add(at);
  }
  const own = [join(top, "package.json"), join(top, "dist")];
  const others = [...found].filter((folder) => folder !== top);
  // What lies in a folder goes along with it.
  const outer = others.filter((folder) => !others.some((other) => folder.startsWith(other + sep)));
  const base = [top, ...outer.map(above)].reduce(common);
  const id = createHash("sha256").update(names.toSorted().join("\n"));
  for (const file of await filesIn(join(top, "dist"))) id.update(file).update(await readFile(file));
  return {
    base,
    paths: [...own, ...outer].map((path) => relative(base, path)).toSorted(),
    id: id.digest("hex").slice(0, ID_DIGITS),
  };
}

interface Package {
  readonly name: string;
  readonly version: string;
  /** Names of packages. */
  readonly needs: readonly string[];
}

/** Lists of package.json that name what a package may need when it runs. */
const NEEDS = ["dependencies", "optionalDependencies", "peerDependencies"];

async function readPackage(folder: string): Promise<Package> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch((error: unknown) => {
    throw asPeError(error, "PE_ENGINE", `Cannot copy the package in "${folder}"`);
  });
  const record = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const meta = (record["peerDependenciesMeta"] ?? {}) as Readonly<Record<string, { readonly optional?: boolean }>>;
  const needs = NEEDS.flatMap((kind) => Object.keys((record[kind] as object | undefined) ?? {}));
  return {
    name: textIn(record["name"]),
    version: textIn(record["version"]),
    // A peer that is optional, such as a compiler, is none of production.
    needs: [...new Set(needs)].filter((needed) => meta[needed]?.optional !== true),
  };
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Folder of a package as Node looks for it: beside whoever needs it, then further and further up. */
async function find(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    const real = await realpath(candidate).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw error;
    });
    if (real === candidate) return real;
    if (real !== undefined)
      throw new PeError(
        "PE_ENGINE",
        `Cannot copy this installation to hosts: "${candidate}" is a link; give a tarball made by npm run pack:cluster with --package`,
      );
    if (dirname(folder) === folder) return undefined;
  }
}

/** The folder whose `node_modules` has the package: from there Node finds it. */
function above(folder: string): string {
  return folder.slice(0, folder.lastIndexOf(`${sep}node_modules${sep}`));
}

function common(one: string, other: string): string {
  let folder = one;
  while (!`${other}${sep}`.startsWith(folder === sep ? sep : `${folder}${sep}`)) folder = dirname(folder);
  return folder;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw asPeError(error, "PE_ENGINE", "Cannot copy this installation to hosts: it is not built");
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** A third of all files, and of no use to a program that runs. */
const LEFT_OUT = ["*.d.ts", "*.d.cts", "*.d.mts", "*.map", "dist-types"];

async function pack(path: string, base: string, paths: readonly string[]): Promise<string> {
  return await replaceDurably(path, async (temporary) => {
    // Names begin with ./ lest one be taken for an option.
    const what = [...LEFT_OUT.map((pattern) => `--exclude=${pattern}`), ...paths.map((one) => `./${one}`)];
    await promisify(execFile)("tar", ["-czf", temporary, "-C", base, ...what]).catch((error: unknown) => {
      throw asPeError(error, "PE_ENGINE", "Cannot pack this installation with tar");
    });
    return path;
  });
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  } catch (error) {
    throw asPeError(error, "PE_ENGINE", `Cannot read the package "${file}"`);
  }
  return hash.digest("hex").slice(0, ID_DIGITS);
}
