/** Runs the built pe-client as a user does: a process of its own, its streams, its exit status. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect } from "vitest";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = fileURLToPath(new URL("../../dist/client/cli/main.js", import.meta.url));

/** No command of these tests takes a tenth of this: whoever reaches it hangs, and is killed and told. */
const HANG_MS = 120_000;

export interface ClientOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** User to run as; only root may choose. */
  readonly uid?: number;
}

export interface Outcome {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningClient {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves when stderr holds `text`. Rejects when the process ends without having said it. */
  said(text: string): Promise<void>;
}

/** For hooks that run commands: the ten seconds they have by default are few on a busy machine. */
export const HOOK_MS = 180_000;

const alive = new Map<ChildProcess, Promise<unknown>>();

afterEach(expectNoClients);
// A hook that ran out of time has no test after it.
afterAll(async () => void (await endClients()));

/** A test ends its processes itself. */
export async function expectNoClients(): Promise<void> {
  expect(await endClients(), "processes that a test left behind").toEqual([]);
}

/** Kills the clients that still run and waits until they are gone. @returns Their command lines. */
export async function endClients(): Promise<string[]> {
  const left = [...alive];
  for (const [child] of left) child.kill("SIGKILL");
  await Promise.all(left.map(async ([, outcome]) => await outcome));
  return left.map(([{ pid, spawnargs }]) => `${pid}: ${spawnargs.slice(2).join(" ")}`);
}

export function startClient(args: readonly string[], options: ClientOptions = {}): RunningClient {
  if (!existsSync(MAIN)) throw new Error(`there is no ${MAIN}: run npm run build first`);
  const { cwd, env = {}, uid } = options;
  const child = spawn(process.execPath, [MAIN, ...args], {
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid, gid: uid }),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8");
    child[stream].on("data", (text: string) => (output[stream] += text));
  }
  const hang = setTimeout(() => child.kill("SIGABRT"), HANG_MS);
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.on("error", (error) => {
      alive.delete(child);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearTimeout(hang);
      alive.delete(child);
      resolve({ status, signal, ...output });
    });
  });
  alive.set(child, outcome);
  const said = async (text: string): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => (output.stderr.includes(text) ? resolve() : undefined);
      child.stderr.on("data", look);
      child.on("close", () => reject(new Error(`it ended without saying "${text}": ${output.stderr}`)));
      look();
    });
  };
  return { child, outcome, said };
}

export async function runClient(args: readonly string[], options?: ClientOptions): Promise<Outcome> {
  return await startClient(args, options).outcome;
}

/** Runs a command that must succeed. */
export async function runWell(args: readonly string[], options?: ClientOptions): Promise<Outcome> {
  const outcome = await runClient(args, options);
  expect(outcome.status, `pe-client ${args.join(" ")}: ${outcome.stderr}`).toBe(0);
  return outcome;
}

/** Runs a command that must fail as the table of errors says, in one line, with nothing on stdout. */
export async function expectError(
  args: readonly string[],
  code: string,
  status: number,
  options?: ClientOptions,
): Promise<string> {
  const outcome = await runClient(args, options);
  const said = `pe-client ${args.join(" ")} said: ${outcome.stderr}`;
  const lines = outcome.stderr.split("\n").filter((line) => line.startsWith("pe-client: "));
  expect(lines, said).toHaveLength(1);
  expect(lines[0], said).toMatch(/^pe-client: \S.*\S \[[A-Z_]+\]$/);
  expect(lines[0], said).toContain(`[${code}]`);
  expect(outcome.stderr.endsWith(`${lines[0]}\n`), said).toBe(true);
  expect(outcome.stderr, said).not.toMatch(/^\s+at /m);
  expect(outcome.status, said).toBe(status);
  expect(outcome.stdout, said).toBe("");
  return lines[0]!;
}

/** Of a user without rights, for tests of permissions. */
const NOBODY = 65_534;

/**
 * Options with which a client obeys permissions: root runs it as nobody. Undefined where that cannot be (nobody may not
 * read this folder).
 */
export async function unprivileged(): Promise<ClientOptions | undefined> {
  if (process.getuid?.() !== 0) return {};
  const { status } = await runClient(["--version"], { uid: NOBODY, cwd: "/" }).catch(() => ({ status: 1 }));
  return status === 0 ? { uid: NOBODY, cwd: "/" } : undefined;
}
