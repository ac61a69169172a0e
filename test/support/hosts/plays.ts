/** The plays of ansible/ as a user runs them, on the hosts of a lab. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { ROOT } from "../client.ts";
import type { Lab, Ran } from "./lab.ts";

const execute = promisify(execFile);
export const PLAYS = join(ROOT, "ansible");

/** How a play ended on one host. */
export interface Recap {
  readonly ok: number;
  readonly changed: number;
  readonly unreachable: number;
  readonly failed: number;
}

export interface Played extends Ran {
  readonly hosts: ReadonlyMap<string, Recap>;
  /** Of all hosts. */
  readonly changed: number;
}

/** Makes the bundle that hosts get, of the package as it is built. @returns Its path. */
export async function makeBundle(folder: string): Promise<string> {
  await execute(process.execPath, [join(PLAYS, "pack-cluster.mjs"), "--as-built", "--out", folder]);
  return join(folder, "pe-cluster.tgz");
}

/** A tarball of this very Node, laid out as those of its makers. @returns Its path. */
export async function makeNodeArchive(folder: string): Promise<string> {
  const [path, name] = [join(folder, "node.tgz"), "node-here"];
  mkdirSync(join(folder, name, "bin"), { recursive: true });
  copyFileSync(process.execPath, join(folder, name, "bin", "node"));
  await execute("tar", ["--use-compress-program=gzip -1", "-cf", path, "-C", folder, name]);
  return path;
}

/** The control machine: an inventory, and what was made for it. */
export class Control {
  readonly #lab: Lab;
  readonly #inventory: string;
  readonly accessFile: string;

  /** @param inventory Groups and hosts as a user writes them. @param settings What goes under `[all:vars]`. */
  constructor(lab: Lab, inventory: string, settings: Readonly<Record<string, string>>) {
    const access = join(lab.folder, "access");
    const all = {
      ansible_user: "deploy",
      ansible_ssh_common_args: `"-o UserKnownHostsFile=${join(lab.folder, "known-hosts")}"`,
      pe_cluster_access_folder: access,
      pe_cluster_worker_threads: "1",
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
    this.#lab = lab;
    this.#inventory = join(lab.folder, "inventory");
    this.accessFile = join(access, "access.json");
    writeFileSync(this.#inventory, `${inventory}\n[all:vars]\n${lines.join("")}`);
  }

  /** Runs a play, whose end the test looks at. */
  async play(name: string, ...args: readonly string[]): Promise<Played> {
    return await this.#play(name, args);
  }

  /** Begins a play. @returns Resolves with it, and with the moment when it prints `text`. */
  watch(name: string, text: string): { readonly printed: Promise<void>; readonly played: Promise<Played> } {
    let onPrinted: () => void = () => undefined;
    const printed = new Promise<void>((done) => (onPrinted = done));
    const played = this.#play(name, [], (output) => output.includes(text) && onPrinted());
    return { printed, played };
  }

  async #play(name: string, args: readonly string[], onOutput?: (text: string) => void): Promise<Played> {
    const env = {
      ANSIBLE_NOCOLOR: "1",
      ANSIBLE_TIMEOUT: "5",
      ANSIBLE_SSH_CONTROL_PATH_DIR: join(this.#lab.folder, "cp"),
      ANSIBLE_LOCAL_TEMP: join(this.#lab.folder, "tmp"),
    };
    const command = ["-i", this.#inventory, `${name}.yml`, ...args];
    const ran = await this.#lab.control("ansible-playbook", command, {
      cwd: PLAYS,
      env,
      ...(onOutput && { onOutput }),
    });
    const hosts = recapOf(ran.stdout);
    return { ...ran, hosts, changed: [...hosts.values()].reduce((sum, { changed }) => sum + changed, 0) };
  }

  /** Runs a play that must succeed. */
  async playWell(name: string, ...args: readonly string[]): Promise<Played> {
    const played = await this.play(name, ...args);
    expect(played.status, `${name}.yml: ${played.stdout}${played.stderr}`).toBe(0);
    return played;
  }

  /** Runs a command of pe-client on the control machine that must succeed. @returns What it printed. */
  async clientWell(...args: readonly string[]): Promise<string> {
    return await this.localWell(...args, "--access-file", this.accessFile);
  }

  /** The same without a cluster. */
  async localWell(...args: readonly string[]): Promise<string> {
    const command = [join(ROOT, "dist/client/cli/main.js"), ...args];
    const { status, stdout, stderr } = await this.#lab.control(process.execPath, command);
    expect(status, `pe-client ${args.join(" ")}: ${stderr}`).toBe(0);
    return stdout;
  }

  /** Names of the workers that the scheduler would give work to. */
  async workers(): Promise<string[]> {
    const all = JSON.parse(await this.clientWell("workers", "--json")) as { name: string; state: string }[];
    return all
      .filter(({ state }) => state === "active")
      .map(({ name }) => name)
      .toSorted((a, b) => a.localeCompare(b));
  }
}

/** `lab1 : ok=3 changed=0 unreachable=0 failed=0 ...` for each host. */
export function recapOf(stdout: string): Map<string, Recap> {
  const LINE = /^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)/gm;
  return new Map(
    [...stdout.matchAll(LINE)].map(([, host, ok, changed, unreachable, failed]) => [
      host!,
      { ok: Number(ok), changed: Number(changed), unreachable: Number(unreachable), failed: Number(failed) },
    ]),
  );
}
