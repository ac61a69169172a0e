/**
 * A Slurm on this machine, its controller and all its nodes: the real daemons, in a folder and on ports of their own. Takes root
 * on Linux.
 */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { eventually, signalProcess } from "../cluster-programs.ts";
import { freePorts, hasProgram, openSite, type Site } from "../s3/server.ts";

const NEEDED = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo"];
const NODE_CPUS = 2;
const NODE_MEBIBYTES = 4000;

/** Why there can be no Slurm here; undefined when there can. */
export function noSlurm(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "a Slurm takes root on Linux";
  const missing = NEEDED.filter((name) => !hasProgram(name));
  return missing.length === 0
    ? undefined
    : `${missing.join(", ")} not installed here: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge`;
}

export class SlurmLab {
  readonly folder: string;
  readonly nodes: readonly string[];
  /** For programs that are to use this Slurm. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #site: Site;
  /** Of the daemon of each node. */
  readonly #daemons = new Map<string, number>();

  private constructor(site: Site, nodes: number) {
    this.#site = site;
    this.folder = site.folder;
    this.nodes = Array.from({ length: nodes }, (_, index) => `node${index + 1}`);
    this.environment = { SLURM_CONF: join(site.folder, "slurm.conf") };
  }

  /** With so many nodes of two cores each. */
  static async start(nodes: number): Promise<SlurmLab> {
    const lab = new SlurmLab(await openSite(), nodes);
    try {
      await lab.#begin();
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const [controller, ...ports] = (await freePorts(this.nodes.length + 1)) as [number, ...number[]];
    const { folder } = this;
    for (const name of ["state", "log", "run", "munge", ...this.nodes])
      await mkdir(join(folder, name), { mode: name === "munge" ? 0o700 : 0o755 });
    await writeFile(join(folder, "munge", "key"), randomBytes(1024), { mode: 0o400 });
    await writeFile(this.environment["SLURM_CONF"]!, configurationOf(folder, controller, this.nodes, ports));
    const file = (name: string): string => join(folder, "munge", name);
    this.#start("munged", "--foreground", "--force", `--socket=${file("socket")}`, `--key-file=${file("key")}`,
      `--log-file=${file("log")}`, `--pid-file=${file("pid")}`, `--seed-file=${file("seed")}`); // prettier-ignore
    this.#start("slurmctld", "-D");
    for (const node of this.nodes) this.#daemons.set(node, this.#start("slurmd", "-D", "-N", node));
    await this.#areIdle(this.nodes.length);
  }

  /** @returns Its number. */
  #start(program: string, ...parameters: string[]): number {
    this.#site.start("env", `SLURM_CONF=${this.environment["SLURM_CONF"]}`, program, ...parameters);
    return this.#site.pids.at(-1)!;
  }

  async #areIdle(count: number): Promise<void> {
    await eventually(
      async () => (await this.run("sinfo", "-h", "-t", "idle", "-o", "%D").catch(() => "")).trim() === String(count),
      () => `${count} nodes are ready`,
      30_000,
    );
  }

  /** Runs a program of Slurm that must succeed. @returns What it said. */
  async run(program: string, ...parameters: string[]): Promise<string> {
    return await this.#site.run("env", `SLURM_CONF=${this.environment["SLURM_CONF"]}`, program, ...parameters);
  }

  /** As if its power went: the daemon, and all that runs there. The controller is told; by itself it notices after half a minute. */
  async killNode(node: string): Promise<void> {
    const tasks = this.processes().filter(({ environment }) => environment.includes(`SLURMD_NODENAME=${node}`));
    const steps = tasks.map(({ pid }) => parentOf(pid)).filter((pid) => nameOf(pid) === "slurmstepd");
    for (const pid of [this.#daemons.get(node)!, ...steps, ...tasks.map((task) => task.pid)])
      signalProcess(pid, "SIGKILL");
    await this.run("scontrol", "update", `NodeName=${node}`, "State=DOWN", "Reason=killed");
  }

  /** All processes that know of this Slurm: its daemons, what its jobs run, and what was started beside them. */
  processes(): { readonly pid: number; readonly environment: readonly string[]; readonly command: string }[] {
    const own = `SLURM_CONF=${this.environment["SLURM_CONF"]}`;
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const environment = read(`/proc/${name}/environ`).split("\0");
        const command = read(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
        return environment.includes(own) ? [{ pid: Number(name), environment, command }] : [];
      });
  }

  async stop(): Promise<void> {
    const daemons = new Set(this.#site.pids);
    for (const { pid } of this.processes()) if (!daemons.has(pid)) signalProcess(pid, "SIGKILL");
    await eventually(
      () => this.processes().every(({ pid }) => daemons.has(pid)),
      () => "what ran in the Slurm has ended",
      30_000,
    );
    await this.#site.stop();
  }
}

/** Nothing waits for better times. */
function configurationOf(folder: string, port: number, nodes: readonly string[], ports: readonly number[]): string {
  const host = hostname();
  const settings = {
    ClusterName: "lab",
    SlurmctldHost: `${host}(127.0.0.1)`,
    SlurmctldPort: port,
    SlurmUser: "root",
    SlurmdUser: "root",
    AuthType: "auth/munge",
    AuthInfo: `socket=${folder}/munge/socket`,
    CredType: "cred/munge",
    StateSaveLocation: `${folder}/state`,
    SlurmdSpoolDir: `${folder}/%n`,
    SlurmctldPidFile: `${folder}/run/slurmctld.pid`,
    SlurmdPidFile: `${folder}/run/%n.pid`,
    SlurmctldLogFile: `${folder}/log/slurmctld.log`,
    SlurmdLogFile: `${folder}/log/%n.log`,
    ProctrackType: "proctrack/linuxproc",
    TaskPlugin: "task/none",
    SwitchType: "switch/none",
    MpiDefault: "none",
    JobAcctGatherType: "jobacct_gather/none",
    AccountingStorageType: "accounting_storage/none",
    JobCompType: "jobcomp/none",
    SelectType: "select/cons_tres",
    SelectTypeParameters: "CR_Core_Memory",
    SchedulerParameters: "sched_interval=1,batch_sched_delay=0",
    // More cores than the machine has.
    SlurmdParameters: "config_overrides",
    ReturnToService: 2,
    SlurmdTimeout: 30,
    KillWait: 5,
    InactiveLimit: 0,
    TreeWidth: 65_533,
  };
  const node = (name: string, place: number): string =>
    `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[place]} CPUs=${NODE_CPUS} RealMemory=${NODE_MEBIBYTES}`;
  return [
    ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ...nodes.map(node),
    `PartitionName=main Nodes=${nodes.join()} Default=YES MaxTime=INFINITE State=UP`,
    "",
  ].join("\n");
}

function parentOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim();
}

/** Nothing of a process that has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
