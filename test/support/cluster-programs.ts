/** The programs of the built package as processes of a test: started, watched, killed and frozen by their numbers. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../../data/durable.ts";
import { ROOT } from "./client.ts";

/** Whoever waits for so long waits for ever. */
const DEADLINE_MS = 90_000;
const LOOK_MS = 20;

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** In place of the built package. */
  readonly dist?: string;
  /** A command that becomes the one it is put before, such as one that goes to another machine first. */
  readonly within?: readonly string[];
}

/** A program, and the processes that it starts. */
export class Program {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly output = { stdout: "", stderr: "" };
  readonly ended: Promise<Ended>;
  /** Numbers of all processes that it was seen to have. */
  readonly #seen = new Set<number>();

  /** @param main Within the built package, such as `worker/main.js`. */
  constructor(main: string, args: readonly string[], options: ProgramOptions) {
    const path = join(options.dist ?? join(ROOT, "dist"), main);
    if (!existsSync(path)) throw new Error(`there is no ${path}: run npm run build first`);
    const [first, ...rest] = [...(options.within ?? []), process.execPath, path, ...args];
    this.child = spawn(first!, rest, {
      env: { ...process.env, PE_ACCESS_FILE: "", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.pid = this.child.pid!;
    for (const stream of ["stdout", "stderr"] as const)
      this.child[stream]!.setEncoding("utf8").on("data", (text: string) => (this.output[stream] += text));
    this.ended = new Promise((resolve) => this.child.once("close", (status, signal) => resolve({ status, signal })));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Processes that it has started, theirs too, and that live. */
  descendants(): number[] {
    const parents = parentsOfAll();
    for (let known = -1; known !== this.#seen.size;) {
      known = this.#seen.size;
      for (const [pid, parent] of parents) if (parent === this.pid || this.#seen.has(parent)) this.#seen.add(pid);
    }
    // Whoever has ended and was not asked yet is in the table as well.
    return [...this.#seen].filter((pid) => parents.has(pid) && isAlive(pid));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Kills it and all that it has started, at once, and waits until they are gone. */
  async kill(): Promise<void> {
    // Frozen, it starts no other while its processes are counted.
    if (this.isRunning) this.child.kill("SIGSTOP");
    const pids = this.isRunning ? [this.pid, ...this.descendants()] : this.descendants();
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await this.ended;
    await eventually(
      () => this.descendants().length === 0,
      () => `${this.descendants().join()} ends`,
    );
  }
}

/** Harmless when the process has just ended. */
export function signalProcess(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Parent of each process that is there and not a mere entry for one that has ended. */
function parentsOfAll(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state !== "Z") parents.set(Number(name), Number(parent));
    } catch {
      // It has ended meanwhile.
    }
  }
  return parents;
}

/** Sockets of this machine at a TCP port that somebody still has. */
export function openSockets(port: number): string[] {
  const TIME_WAIT = "06";
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return ["/proc/net/tcp", "/proc/net/tcp6"]
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, "latin1").split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local, remote, state]) => state !== TIME_WAIT && [local, remote].some((end) => end?.endsWith(`:${hex}`)),
    )
    .map(([, local, remote, state]) => `${local} - ${remote} in state ${state}`);
}

/** Resolves as soon as `condition` holds. @throws {Error} Saying `what` does not happen, after a long time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: () => string,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const stop = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > stop) throw new Error(`it does not happen: ${what()}`);
    await sleep(LOOK_MS);
  }
}
