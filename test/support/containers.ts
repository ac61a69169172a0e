/**
 * Podman with storage, settings and a network of a test's own: images, containers and what they leave in the machine's tables of
 * packets go with it. No registry is asked for anything: the image that others begin with is made of this machine's own files.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { HUB, PrivateNetwork } from "./private-network.ts";
import { hasProgram } from "./s3/server.ts";

const NEEDED = ["podman", "podman-compose", "runc", "conmon", "iptables", "ip", "nsenter", "tar"];
/** Networks of containers, and their names in them. */
const NEEDED_BESIDE = ["netavark", "aardvark-dns"];
const HELPERS = "/usr/lib/podman";
/** What a base has to have: Node, and what the Dockerfile and the commands of the bundle call. */
const PROGRAMS = ["sh", "mkdir", "chmod", "tar", "gzip", "dirname", "readlink", "id", "touch"];
export const BASE = "localhost/base";

/** Why there can be no containers here; undefined when there can. */
export function noContainers(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "containers of a test take root on Linux";
  const missing = [
    ...NEEDED.filter((name) => !hasProgram(name)),
    ...NEEDED_BESIDE.filter((name) => !existsSync(join(HELPERS, name))),
  ];
  return missing.length === 0 ? undefined : `not installed here: ${missing.join(", ")}`;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Podman {
  readonly #folder: string;
  readonly #network: PrivateNetwork;
  readonly #environment: NodeJS.ProcessEnv;

  /** @param folder Empty; everything lies there. */
  constructor(folder: string, environment: Readonly<Record<string, string>>) {
    const network = PrivateNetwork.open([]);
    if (network === undefined) throw new Error("Cannot make a network of the test's own");
    this.#network = network;
    this.#folder = folder;
    const at = (name: string): string => join(folder, name);
    writeFileSync(
      at("storage.conf"),
      toml("storage", { driver: "overlay", graphroot: at("graph"), runroot: at("run") }),
    );
    const engine = { runtime: "runc", cgroup_manager: "cgroupfs", events_logger: "file", tmp_dir: at("tmp") };
    // What podman asks for by itself is more than a sandbox may give.
    const limits = `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n`;
    const networks = toml("network", { network_backend: "netavark", network_config_dir: at("networks") });
    writeFileSync(at("containers.conf"), limits + toml("engine", engine) + networks);
    this.#environment = {
      ...process.env,
      ...environment,
      CONTAINERS_STORAGE_CONF: at("storage.conf"),
      CONTAINERS_CONF: at("containers.conf"),
      // Of an image's HEALTHCHECK; and it is asked for here, not by systemd.
      BUILDAH_FORMAT: "docker",
      DISABLE_HC_SYSTEMD: "true",
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    };
  }

  /** Runs a program beside the containers: what they publish on this machine's loopback is there, and nowhere else. */
  async run(program: string, args: readonly string[], cwd = this.#folder): Promise<Ran> {
    const [first, ...within] = this.#network.within(HUB);
    const child = spawn(first!, [...within, program, ...args], {
      cwd,
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => (output[stream] += text));
    const [status] = (await once(child, "close")) as [number | null];
    return { status, ...output };
  }

  /** A command that must succeed. @returns What it printed. */
  async well(program: string, ...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(program, args);
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: exit status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Makes the image `BASE`: this machine's Node, shell and a few programs, and their libraries. */
  async makeBase(): Promise<void> {
    const root = join(this.#folder, "base");
    const programs = [...PROGRAMS.map((name) => which(name)), process.execPath];
    for (const path of new Set([...programs.flatMap(librariesOf), ...programs])) {
      const target = join(root, path === process.execPath ? "/usr/bin/node" : path.replace(/^\/bin\//, "/usr/bin/"));
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(realpathSync(path), target);
    }
    for (const name of ["etc", "proc", "sys", "dev", "run", "tmp", "var"]) mkdirSync(join(root, name));
    chmodSync(join(root, "tmp"), 0o1777);
    symlinkSync("usr/bin", join(root, "bin"));
    const archive = join(this.#folder, "base.tar");
    execFileSync("tar", ["-cf", archive, "-C", root, "."]);
    await this.well("podman", "import", archive, BASE);
    rmSync(archive);
    rmSync(root, { recursive: true });
  }

  /** Ends and removes everything. */
  async close(): Promise<void> {
    await this.run("podman", ["rm", "--all", "--force", "--volumes", "--time", "0"]);
    await this.run("podman", ["rmi", "--all", "--force"]);
    this.#network.close();
  }
}

function toml(section: string, settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
  return `[${section}]\n${lines.join("")}`;
}

function which(name: string): string {
  return spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
}

/** Shared libraries of a program, and what loads them. */
function librariesOf(program: string): string[] {
  return spawnSync("ldd", [program], { encoding: "utf8" }).stdout.match(/\/\S+/g) ?? [];
}
