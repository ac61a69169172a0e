/**
 * A lab of hosts on this machine: each with a network address, a root file system, processes and an ssh server of its own, with
 * systemd or without. Hosts and control machine share a network that leads nowhere else; all of it is namespaces, which end
 * with their processes. Takes root on Linux.
 */
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { signalProcess } from "../cluster-programs.ts";
import { hasProgram } from "../s3/server.ts";

const BOOT = fileURLToPath(new URL("boot.sh", import.meta.url));
const READY_MS = 30_000;
const LOOK_MS = 20;
/** Of deploy, who may become root. */
export const PASSWORD = "lab-password";

const NEEDED = ["ip", "unshare", "nsenter", "setpriv", "sshd", "ssh-keygen", "sshpass", "sudo", "ansible-playbook"];

/** Why there can be no lab here; undefined when there can. */
export function noLab(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "hosts in namespaces take root on Linux";
  const missing = NEEDED.filter((name) => !hasProgram(name));
  return missing.length === 0 ? undefined : `not installed here: ${missing.join(", ")}`;
}

export type HostKind = "systemd" | "plain";

export interface Host {
  readonly name: string;
  readonly address: string;
  /** Its root file system as this machine sees it. */
  readonly root: string;
  /** Runs a shell command on it as root. */
  run(command: string): Promise<Ran>;
  /** As if its plug were pulled: nothing answers any more. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

export interface Around {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints, as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Lab {
  readonly folder: string;
  /** Seen by all hosts as `/srv/shared`. */
  readonly shared: string;
  /** For ssh. */
  readonly key: string;
  readonly hosts: readonly Host[];
  readonly #processes: readonly ChildProcess[];
  readonly #network: number;
  readonly #groups: readonly string[];

  private constructor(folder: string, hosts: readonly Host[], processes: readonly ChildProcess[], groups: string[]) {
    this.folder = folder;
    this.shared = join(folder, "shared");
    this.key = join(folder, "id");
    this.hosts = hosts;
    this.#processes = processes;
    this.#network = processes[0]!.pid!;
    this.#groups = groups;
  }

  /** Starts hosts `lab1`, `lab2` ... and waits until their ssh servers answer. */
  static async start(kind: HostKind, count: number): Promise<Lab> {
    const folder = await mkdtemp(join(tmpdir(), "pe-test-lab-"));
    mkdirSync(join(folder, "shared"), { mode: 0o755 });
    const names = Array.from({ length: count }, (_, index) => ({
      name: `lab${index + 1}`,
      address: `10.77.0.${11 + index}`,
    }));
    const lines = names.map(({ name, address }) => `${address} ${name}\n`);
    writeFileSync(join(folder, "hosts"), `127.0.0.1 localhost\n${lines.join("")}`);
    for (const file of ["id", "host-key"])
      must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(folder, file));
    // sshd wants it on the machine that its folder is taken from.
    mkdirSync("/run/sshd", { recursive: true });
    const processes = [await startNetwork()];
    const groups: string[] = [];
    const network = processes[0]!.pid!;
    const hosts: Host[] = [];
    for (const [index, { name, address }] of names.entries()) {
      const group = `pe-test-${process.pid}-${kind}-${name}`;
      groups.push(group);
      const child = startHost(kind, name, folder, network, group);
      processes.push(child);
      hosts.push(await plugIn(child, index, { name, address, network }));
    }
    const lab = new Lab(folder, hosts, processes, groups);
    for (const host of hosts) await lab.#answering(host);
    return lab;
  }

  /** Runs a program of the control machine, in the network of the lab. */
  async control(program: string, args: readonly string[], around: Around = {}): Promise<Ran> {
    return await ran(
      spawn("nsenter", [...intoNetwork(this.#network), program, ...args], spawnOptions(around)),
      around.onOutput,
    );
  }

  async #answering({ address, name }: Host): Promise<void> {
    const look = `exec 3<>/dev/tcp/${address}/22 && read -t 1 -u 3 line && [[ $line == SSH* ]]`;
    await until(async () => (await this.control("bash", ["-c", look])).status === 0, `${name} answers to ssh`);
  }

  /** Ends all of it, what the control machine still runs and the connections that ssh keeps too; nothing is left. */
  async stop(): Promise<void> {
    for (const pid of inSameNetwork(this.#network)) signalProcess(pid, "SIGKILL");
    await Promise.all(this.#processes.map(ended));
    await until(async () => this.#groups.every(removeGroup), "the control groups of the hosts are empty");
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A network of the lab's own, with the control machine as its first address. */
async function startNetwork(): Promise<ChildProcess> {
  const setUp = [
    "ip link set lo up",
    "ip link add lab type bridge",
    "ip address add 10.77.0.1/24 dev lab",
    "ip link set lab up",
    "echo ready",
    "exec sleep infinity",
  ];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "unshare", "--net", "sh", "-ec", setUp.join("\n")], {
    env: environment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

function startHost(kind: HostKind, name: string, folder: string, network: number, group: string): ChildProcess {
  const flags = ["--net", "--mount", "--uts", "--pid", "--ipc", "--cgroup", "--fork", "--kill-child"];
  const script = [
    ...groupFolders(group).map((path) => `echo $$ > ${path}/cgroup.procs`),
    `exec nsenter ${intoNetwork(network).join(" ")} unshare ${flags.join(" ")} ${BOOT} ${kind} ${name} ${folder}`,
  ];
  for (const path of groupFolders(group)) mkdirSync(path);
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", "bash", "-ec", script.join("\n")], {
    env: environment(),
    stdio: ["ignore", "ignore", process.env["PE_LAB_LOG"] === undefined ? "ignore" : "inherit"],
  });
}

/** Connects a host that starts with the network. */
async function plugIn(
  child: ChildProcess,
  index: number,
  { name, address, network }: { name: string; address: string; network: number },
): Promise<Host> {
  const first = await firstProcess(child, name);
  const inNetwork = ["nsenter", ...intoNetwork(network), "ip", "link"] as const;
  const cable = `cable${index}`;
  must(...inNetwork, "add", cable, "type", "veth", "peer", "name", "eth0", "netns", String(first));
  must(...inNetwork, "set", cable, "master", "lab", "up");
  const inHost = [`--target=${first}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
  return {
    name,
    address,
    root: `/proc/${first}/root`,
    run: async (command) => await ran(spawn("nsenter", [...inHost, "sh", "-c", command], spawnOptions({}))),
    unplug: async () => await Promise.resolve(must(...inNetwork, "set", cable, "down")),
    plug: async () => await Promise.resolve(must(...inNetwork, "set", cable, "up")),
  };
}

/** Number of the process that is the first one of the host, seen from here. */
async function firstProcess({ pid }: ChildProcess, name: string): Promise<number> {
  let first = "";
  await until(async () => {
    first = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return await Promise.resolve(first !== "" && numbersOf(first) !== numbersOf("self"));
  }, `${name} has a first process`);
  return Number(first);
}

/** Which numbers of processes it sees. */
function numbersOf(process: string): string {
  return readlinkSync(`/proc/${process}/ns/pid`);
}

/** Folders of a control group in each hierarchy that systemd may use. */
function groupFolders(group: string): string[] {
  const roots = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
  return roots.filter((root) => existsSync(join(root, "cgroup.procs"))).map((root) => join(root, group));
}

/** Whether the group is gone. */
function removeGroup(group: string): boolean {
  try {
    for (const root of groupFolders(group)) if (existsSync(root)) removeFolders(root);
    return true;
  } catch {
    // Whatever was in it has not quite ended.
    return false;
  }
}

function removeFolders(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeFolders(join(folder, entry.name));
  rmdirSync(folder);
}

/** Processes in the network of this one. */
function inSameNetwork(pid: number): number[] {
  const networkOf = (process: number | string): string => {
    try {
      return readlinkSync(`/proc/${process}/ns/net`);
    } catch {
      // It has ended meanwhile.
      return "";
    }
  };
  const wanted = networkOf(pid);
  if (wanted === "" || wanted === networkOf("self")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && networkOf(name) === wanted)
    .map(Number);
}

function intoNetwork(pid: number): string[] {
  return [`--net=/proc/${pid}/ns/net`];
}

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LANG: "C.UTF-8", ...more };
}

function spawnOptions({ cwd, env }: Around): SpawnOptions {
  return { ...(cwd !== undefined && { cwd }), env: environment(env), stdio: ["ignore", "pipe", "pipe"] };
}

async function ran(child: ChildProcess, onOutput?: (text: string) => void): Promise<Ran> {
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream]!.setEncoding("utf8").on("data", (text: string) => (output[stream] += text));
  if (onOutput !== undefined) child.stdout!.on("data", onOutput);
  const [status] = (await once(child, "close")) as [number | null];
  return { status, ...output };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

function must(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { env: environment(), encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const lastMs = performance.now() + READY_MS;
  while (!(await isSo())) {
    if (performance.now() > lastMs) throw new Error(`it does not happen: ${what}`);
    await sleep(LOOK_MS);
  }
}
