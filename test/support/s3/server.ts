/** Real S3 servers on this machine, each with a folder of its own that goes when it ends. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface S3Server {
  readonly endpointUrl: string;
  readonly port: number;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

/** What a benchmark wants to know of a server beside what it answers. */
export interface WatchedServer extends S3Server {
  /** Of all its programs. */
  readonly pids: readonly number[];
  /** File in which the server has a line for each request, soon after it. */
  readonly requestLog: string;
}

/** Processes and files of a server while it is made. */
export interface Site {
  readonly folder: string;
  /** Of the programs that were started. */
  readonly pids: readonly number[];
  /** Starts a program of the server; it ends with the site, and with this process however that ends. */
  start(program: string, ...parameters: string[]): void;
  /** Runs a program to its end. @throws {Error} with what it said, unless it succeeds. */
  run(program: string, ...parameters: string[]): Promise<string>;
  /** Waits until the port takes connections. @throws {Error} with the log of a program that ended. */
  listening(port: number): Promise<void>;
  stop(): Promise<void>;
}

const READY_MS = 30_000;

export async function openSite(environment: NodeJS.ProcessEnv = {}): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "pe-test-s3-"));
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: folder, LANG: "C.UTF-8", ...environment };
  const running: { child: ChildProcess; log: string }[] = [];
  const site: Site = {
    folder,
    get pids() {
      return running.flatMap(({ child: { pid } }) => pid ?? []);
    },
    start(program, ...parameters) {
      const log = join(folder, `out-${running.length}.log`);
      const [command, ...rest] = [...deathWithUs(), program, ...parameters];
      const child = spawn(command!, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
      const out = createWriteStream(log);
      child.stdout.pipe(out, { end: false });
      child.stderr.pipe(out, { end: false });
      child.once("close", () => out.end());
      child.on("error", (error) => out.write(String(error)));
      running.push({ child, log });
    },
    async run(program, ...parameters) {
      const child = spawn(program, parameters, { env, stdio: ["ignore", "pipe", "pipe"] });
      let said = "";
      let shown = "";
      child.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
      child.stderr.on("data", (piece: Buffer) => (shown += piece.toString()));
      const [status] = (await once(child, "close")) as [number | null];
      if (status !== 0) throw new Error(`${program} ended with status ${status}: ${shown}${said}`);
      return said;
    },
    async listening(port) {
      for (const startMs = performance.now(); performance.now() - startMs < READY_MS; await sleep(20)) {
        const ended = running.find(({ child }) => child.exitCode !== null);
        if (ended !== undefined) throw new Error(`a server ended: ${readFileSync(ended.log, "utf8").slice(-2000)}`);
        if (await takesConnections(port)) return;
      }
      throw new Error(`nothing listens on port ${port} after ${READY_MS} ms`);
    },
    async stop() {
      const ends = running.map(async ({ child }) => {
        if (child.exitCode === null && child.signalCode === null) {
          const end = once(child, "close");
          child.kill("SIGKILL");
          await end;
        }
      });
      await Promise.all(ends);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return site;
}

/** Linux can end a program together with who started it, even when that is killed. */
function deathWithUs(): string[] {
  return hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];
}

export function hasProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `PATH="$PATH:/usr/sbin:/sbin"; command -v ${name}`]).status === 0;
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Ports that nobody has just now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map(async (server) => await once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}
