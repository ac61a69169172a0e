/** The scripts that hosts run, run by the shell of this machine. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  answersOf,
  filesScript,
  listScript,
  lookScript,
  removeScript,
  startScript,
  stopScript,
  unpackCommand,
} from "../../../../../client/engines/ssh/scripts.ts";
import { quoted } from "../../../../../client/engines/shell.ts";
import { testFolder } from "../../../../support/folders.ts";

const NASTY = `it's "$HOME" \`id\` \\ and\ttwo  spaces; rm -rf x`;
const BUNDLE = { id: "abc", place: ".", file: async () => await Promise.resolve("") };

/** As ssh does: the script by stdin, begun in the home of the user. */
function run(script: string, home: string, env: Readonly<Record<string, string>> = {}): string[] {
  const options = { cwd: home, input: script, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], options);
  expect(status, stderr).toBe(0);
  return stdout.split("\n").filter((line) => line !== "");
}

/** A host with a program in the place of Node that tells how it was called. */
async function host() {
  const home = await testFolder();
  const node = join(home, "node it's");
  writeFileSync(
    node,
    `#!/bin/sh\nfor one; do printf '%s|' "$one"; done >>"${home}/called"\necho >>"${home}/called"\n`,
    {
      mode: 0o755,
    },
  );
  const called = (): string[] => readFileSync(join(home, "called"), "utf8").trim().split("\n");
  return { home, on: { folder: "there it's", node }, called };
}

describe("quoted()", () => {
  test("makes one word of anything", () => {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(NASTY)}`], { encoding: "utf8" })).toBe(NASTY);
  });
});

describe("filesScript()", () => {
  test("writes files as they are, for nobody else", async () => {
    const { home, on } = await host();
    const text = `{ "token": ${JSON.stringify(NASTY)} }\n`;
    run(filesScript(on, { "access.json": text }), home, { PATH: process.env["PATH"]! });
    const folder = join(home, on.folder);
    expect(readFileSync(join(folder, "access.json"), "utf8")).toBe(text);
    expect(readdirSync(folder).toSorted()).toEqual(["access.json", "logs"]);
    for (const path of [folder, join(folder, "access.json")]) expect(statSync(path).mode & 0o077).toBe(0);
  });
});

describe("startScript()", () => {
  test("starts each process with its arguments as they are, and files of its own", async () => {
    const { home, on, called } = await host();
    const processes = [
      { program: "worker", name: "gate:1", arguments: ["--name", "gate:1", "--kinds", NASTY] },
      { program: "scheduler", name: "scheduler", arguments: [] },
    ] as const;
    run(`${filesScript(on, {})}${startScript(on, processes)}`, home);
    expect(called()).toEqual([
      `current/dist/worker/main.js|--name|gate:1|--kinds|${NASTY}|--detach|--pid-file|worker-gate_1.pid|--log-file|logs/worker-gate_1.log|`,
      "current/dist/scheduler/main.js|--detach|--pid-file|scheduler.pid|--log-file|logs/scheduler.log|",
    ]);
  });
});

describe("lookScript()", () => {
  test("tells of Node, of the package, and of both ends of the connection", async () => {
    const { home, on } = await host();
    const env = { SSH_CONNECTION: "10.0.0.1 5000 10.0.0.2 22" };
    const look = (node: string): string[] => run(lookScript({ ...on, node }, BUNDLE), home, env);
    const version = process.versions.node;
    expect(look(process.execPath)).toEqual(["from\t10.0.0.1", "address\t10.0.0.2", `node\t${version}`]);
    mkdirSync(join(home, on.folder, "package-abc"), { recursive: true });
    expect(look("there-is-none")).toEqual(["from\t10.0.0.1", "address\t10.0.0.2", "package"]);
  });
});

describe("unpackCommand()", () => {
  test("has the package there whole, also when it is there already", async () => {
    const { home, on } = await host();
    mkdirSync(join(home, "made", "dist"), { recursive: true });
    writeFileSync(join(home, "made", "dist", "a.js"), "a");
    const input = execFileSync("tar", ["-czf", "-", "-C", join(home, "made"), "./dist"]);
    for (let time = 0; time < 2; time++) execFileSync("sh", ["-c", unpackCommand(on, BUNDLE)], { cwd: home, input });
    expect(readdirSync(join(home, on.folder)).toSorted()).toEqual(["current", "package-abc"]);
    expect(readFileSync(join(home, on.folder, "current", "dist", "a.js"), "utf8")).toBe("a");
  });

  test("leaves nothing of a package that was cut off", async () => {
    const { home, on } = await host();
    const { status } = spawnSync("sh", ["-c", unpackCommand(on, BUNDLE)], { cwd: home, input: "no tarball" });
    expect([status, readdirSync(join(home, on.folder))]).toEqual([73, []]);
  });
});

describe("listScript()", () => {
  test("tells numbers of processes and last words", async () => {
    const { home, on } = await host();
    const folder = join(home, on.folder);
    mkdirSync(join(folder, "logs"), { recursive: true });
    writeFileSync(on.node, "#!/bin/sh\necho pe-worker runs as process 4711\n");
    writeFileSync(join(folder, "worker-a.pid"), "4711\n");
    writeFileSync(join(folder, "logs", "worker-b.log"), `${"x\n".repeat(20)}${NASTY}\n`);
    const processes = ["a", "b"].map((name) => ({ program: "worker", name }) as const);
    const answered = run(listScript(on, processes, true), home);
    expect(answersOf(answered, "pid")).toEqual([["worker-a", "4711"]]);
    const words = answersOf(answered, "words");
    expect([words.length, words.at(-1)!.slice(1).join("\t")]).toEqual([8, NASTY]);
    expect(run(listScript(on, processes, false), home)).toEqual(["pid\tworker-a\t4711"]);
  });

  test("tells nothing where nothing was ever started", async () => {
    const { home, on } = await host();
    expect(run(listScript(on, [{ program: "worker", name: "a" }], true), home)).toEqual([]);
  });
});

describe("stopScript() and removeScript()", () => {
  test("end what has a pid file, and remove secrets, or everything", async () => {
    const { home, on, called } = await host();
    const processes = ["a", "b"].map((name) => ({ program: "worker", name }) as const);
    run(stopScript(on, processes, 5), home);
    run(filesScript(on, { "access.json": "x", "access.key.pem": "x", "worker-a.pid": "1" }), home);
    run(stopScript(on, processes, 5), home);
    expect(called()).toEqual(["current/dist/worker/main.js|stop|--pid-file|worker-a.pid|--timeout|5|"]);
    run(removeScript(on, false), home);
    expect(readdirSync(join(home, on.folder)).toSorted()).toEqual(["logs", "worker-a.pid"]);
    run(removeScript(on, true), home);
    expect(existsSync(join(home, on.folder))).toBe(false);
  });
});
