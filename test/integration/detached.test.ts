/** pe-scheduler and pe-worker that go on by themselves: --detach, status, stop. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { isAlive } from "../../data/durable.ts";
import { ROOT } from "../support/client.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";
import { testFolder } from "../support/folders.ts";

/** What was started by itself is ended after a test that failed. */
const started = new Set<number>();

afterEach(() => {
  for (const pid of started) signalProcess(pid, "SIGKILL");
  started.clear();
});

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command with a state folder of its own. */
async function run(state: string, program: "scheduler" | "worker", ...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, XDG_STATE_HOME: state, PE_ACCESS_FILE: "" };
  const main = join(ROOT, "dist", program, "main.js");
  const outcome = await new Promise<Outcome>((done) => {
    execFile(process.execPath, [main, ...args], { env }, (error, stdout, stderr) =>
      done({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
  if (args.includes("--detach") && args.includes("--json") && outcome.status === 0)
    started.add((JSON.parse(outcome.stdout) as { pid: number }).pid);
  return outcome;
}

/** The JSON that a command that succeeds prints. */
async function told(state: string, program: "scheduler" | "worker", ...args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await run(state, program, ...args, "--json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const AT = ["--port", "0"] as const;

describe("pe-scheduler --detach", () => {
  test("returns when it listens, starts once, and stops as often as it is asked to", async () => {
    const state = await testFolder();
    const journal = ["--journal", join(state, "journal")];
    const pidFile = join(state, "pe-cluster", "scheduler-0.pid");
    const logFile = join(state, "pe-cluster", "pe-scheduler.log");
    const first = await told(state, "scheduler", ...AT, ...journal, "--detach");
    expect(first).toEqual({ started: true, pid: expect.any(Number) as number, pidFile, logFile });
    const { pid } = first as { pid: number };
    expect(readFileSync(logFile, "utf8")).toContain('"url": "ws://127.0.0.1:');
    expect(statSync(logFile).mode & 0o077).toBe(0);
    expect(await told(state, "scheduler", ...AT, ...journal, "--detach")).toMatchObject({ started: false, pid });
    expect(await told(state, "scheduler", "status", ...AT)).toEqual({ running: true, pid, pidFile });
    expect(await told(state, "scheduler", "stop", ...AT)).toEqual({ stopped: true, pid });
    await eventually(
      () => !isAlive(pid),
      () => `${pid} ends`,
    );
    expect(await told(state, "scheduler", "stop", ...AT)).toEqual({ stopped: false, pid: null });
    expect((await run(state, "scheduler", "status", ...AT)).status).toBe(69);
    expect(readdirSync(join(state, "pe-cluster")).filter((name) => name.endsWith(".pid"))).toEqual([]);
  });

  test("starts anew where the last one was killed", async () => {
    const state = await testFolder();
    const start = [...AT, "--in-memory", "--detach"];
    const { pid } = (await told(state, "scheduler", ...start)) as { pid: number };
    process.kill(pid, "SIGKILL");
    await eventually(
      () => !isAlive(pid),
      () => `${pid} ends`,
    );
    expect((await run(state, "scheduler", "status", ...AT)).status).toBe(69);
    expect(await told(state, "scheduler", "stop", ...AT)).toEqual({ stopped: false, pid: null });
    expect(await told(state, "scheduler", ...start)).toMatchObject({ started: true });
    expect(await told(state, "scheduler", "stop", ...AT)).toMatchObject({ stopped: true });
  });

  test("tells why it does not start as if it ran here", async () => {
    const state = await testFolder();
    const { status, stderr } = await run(state, "scheduler", "--host", "192.0.2.1", "--insecure", "--detach");
    expect(status).toBe(69);
    expect(stderr).toMatch(/^pe-scheduler: Cannot listen on 192\.0\.2\.1:8786.* \[PE_ADDRESS\]\n$/);
  });

  test("starts one when two are started at once", async () => {
    const state = await testFolder();
    const start = [...AT, "--in-memory", "--detach"];
    const both = await Promise.all([told(state, "scheduler", ...start), told(state, "scheduler", ...start)]);
    const all = both as { started: boolean; pid: number }[];
    expect(all.filter((one) => one.started)).toHaveLength(1);
    expect(all[0]!.pid).toBe(all[1]!.pid);
    expect(await told(state, "scheduler", "stop", ...AT)).toMatchObject({ stopped: true });
  });

  test("puts a log aside that has grown long", async () => {
    const state = await testFolder();
    const [pidFile, logFile] = [join(state, "a.pid"), join(state, "a.log")];
    const start = [...AT, "--in-memory", "--detach", "--pid-file", pidFile, "--log-file", logFile];
    await told(state, "scheduler", ...start);
    expect(await told(state, "scheduler", "stop", "--pid-file", pidFile)).toMatchObject({ stopped: true });
    truncateSync(logFile, (16 << 20) + 1);
    await told(state, "scheduler", ...start);
    expect(statSync(`${logFile}.1`).size).toBe((16 << 20) + 1);
    expect(statSync(logFile).size).toBeLessThan(10_000);
    expect(await told(state, "scheduler", "stop", "--pid-file", pidFile)).toMatchObject({ stopped: true });
  });
});

describe("pe-worker --detach", () => {
  test("goes on by itself, waits for its scheduler, and leaves nothing when it is stopped", async () => {
    const state = await testFolder();
    const scratch = await testFolder();
    await told(state, "scheduler", ...AT, "--in-memory", "--detach", "--access-file", join(state, "access.json"));
    const { url } = JSON.parse(readFileSync(join(state, "access.json"), "utf8")) as { url: string };
    const own = ["--access-file", join(state, "access.json"), "--threads", "1", "--scratch", scratch];
    const worker = await told(state, "worker", url, ...own, "--name", "a/b", "--detach");
    expect(worker).toMatchObject({ started: true, pidFile: join(state, "pe-cluster", "worker-a_b.pid") });
    const { pid, logFile } = worker as { pid: number; logFile: string };
    await eventually(
      () => readFileSync(logFile, "utf8").includes("connected to the scheduler"),
      () => `the worker joins: ${readFileSync(logFile, "utf8")}`,
    );
    expect(await told(state, "worker", "status", "--name", "a/b")).toMatchObject({ running: true, pid });
    expect(await told(state, "worker", "stop", "--name", "a/b")).toEqual({ stopped: true, pid });
    expect(readdirSync(scratch)).toEqual([]);
    expect(await told(state, "scheduler", "stop", ...AT)).toMatchObject({ stopped: true });
  });

  test("refuses --log-file where it does not go on by itself", async () => {
    const { status, stderr } = await run(await testFolder(), "worker", "--log-file", "x");
    expect([status, stderr]).toEqual([64, expect.stringContaining("Cannot write --log-file without --detach")]);
  });
});
