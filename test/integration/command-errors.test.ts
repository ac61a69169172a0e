/** What a user may get wrong: each is one line with a code, a status of sysexits, and nothing on stdout. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { acquireLock } from "../../data/lock.ts";
import { HOOK_MS, expectError, runClient, runWell, unprivileged } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { copyGoldenShards } from "../support/golden.ts";

let folder = "";
let shards = "";
let maps = "";

beforeAll(async () => {
  folder = await fileFolder();
  shards = await copyGoldenShards(join(folder, "shards"));
  maps = join(folder, "maps.hdf5");
  await runWell(["run", "--input", shards, "--output", maps, "--orders", "3", "--delays", "1-3"]);
  await mkdir(join(folder, "empty"));
  await writeFile(join(folder, "words.txt"), "1\n2\nthree\n");
}, HOOK_MS);

/** A correct run but for `more`, whose options win over those before them. */
function runWith(...more: readonly string[]): string[] {
  return ["run", "--input", shards, "--output", join(folder, "never.hdf5"), "--orders", "3", "--delays", "1", ...more];
}

const USAGE = 64;

describe("a slip of the keyboard", () => {
  test.each<[string, () => string[], RegExp]>([
    ["no command", () => [], /name a command/],
    ["an unknown command", () => ["rnu"], /unknown command 'rnu' \(Did you mean run\?\)/],
    ["an unknown option", () => runWith("--dealys", "3"), /unknown option '--dealys'.*--delays/],
    ["an unknown option in place of a required one", () => ["run", "--inptu", "x"], /unknown option '--inptu'/],
    ["a missing required option", () => ["run", "--input", shards], /--output FILE, --orders LIST, --delays LIST/],
    ["a value left out at the end", () => runWith("--threads"), /--threads/],
    ["a value left out in the middle", () => runWith("--output", "--orders", "3"), /--output: --orders follows it/],
    ["an empty value", () => runWith("--input", ""), /input/],
    ["a pattern that the shell expanded", () => runWith("--input", "a.hdf5", "b.hdf5"), /"b\.hdf5".*quote a pattern/],
    ["an order too low", () => runWith("--orders", "1-3"), /orders are 2 to 9/],
    ["an order too high", () => runWith("--orders", "10"), /orders are 2 to 9/],
    ["orders that are no list", () => runWith("--orders", "3..7"), /--orders 3\.\.7/],
    ["a delay of 0", () => runWith("--delays", "0-3"), /at least 1 sample/],
    ["a negative delay", () => runWith("--delays", "-1"), /--delays -1/],
    ["delays backwards", () => runWith("--delays", "9-3"), /ends before it starts/],
    [
      "a delay that no series is long enough for",
      () => runWith("--orders", "7", "--delays", "100"),
      /needs 601 samples/,
    ],
    ["a delay as a time without an interval", () => runWith("--delays", "5ns"), /needs --interval/],
    ["a delay between samples", () => runWith("--delays", "75ps", "--interval", "50ps"), /1\.5 samples/],
    ["an interval without a unit", () => runWith("--interval", "50"), /50ps/],
    ["an unknown measure", () => runWith("--measures", "pe,all"), /"all" is none of pe, weighted/],
    ["a range with a dash", () => runWith("--shards", "1-3"), /is not a range such as 0:40/],
    ["a range backwards", () => runWith("--shards", "3:1"), /ends before it starts/],
    ["two x ranges", () => runWith("--x", "0:1,3:4"), /one range/],
    ["a window outside of the grid", () => runWith("--x", "7:9"), /below 5/],
    ["no thread", () => runWith("--threads", "0"), /from 1 to 1024/],
    ["half a thread", () => runWith("--threads", "0.5"), /from 1 to 1024/],
    ["an unknown format", () => ["export", maps, "--map", "m003t001", "--format", "xml"], /text, csv, json/],
    ["a map that is not there", () => ["export", maps, "--map", "m004t001"], /m003t001/],
    ["a picture of an unknown sort", () => ["plot", maps, "--output", join(folder, "a.jpg")], /\.svg or \.png/],
    ["a cell outside", () => ["plot", maps, "--scan", "9,9", "--output", join(folder, "a.svg")], /5 x 4/],
    [
      "a map and a scan in one figure",
      () => ["plot", maps, "--map", "m003t001", "--scan", "1,1", "--output", join(folder, "a.svg")],
      /give one of them/,
    ],
    [
      "a scan with colours",
      () => ["plot", maps, "--scan", "1,1", "--range", "0:1", "--output", join(folder, "a.svg")],
      /--scan with --range or --colours/,
    ],
    ["unknown colours", () => ["plot", maps, "--colours", "jet", "--output", join(folder, "a.svg")], /viridis/],
    ["a second file", () => ["inspect", maps, maps], /one path/],
  ])("such as %s", async (_, args, text) => {
    expect(await expectError(args(), "PE_PARAMETER", USAGE)).toMatch(text);
  });
});

describe("an input", () => {
  test.each<[string, () => string[], string, number, RegExp]>([
    ["that does not exist", () => runWith("--input", "nowhere"), "PE_INPUT_EMPTY", 66, /"nowhere"/],
    ["folder that is empty", () => runWith("--input", join(folder, "empty")), "PE_INPUT_EMPTY", 66, /folder is empty/],
    ["pattern without a match", () => runWith("--input", join(folder, "*.h5")), "PE_INPUT_EMPTY", 66, /pattern/],
    ["range beyond the last shard", () => runWith("--shards", "4:"), "PE_INPUT_EMPTY", 66, /no shard .*4:.*has 4/],
    ["of words", () => runWith("--input", join(folder, "words.txt")), "PE_SHARD_LAYOUT", 65, /line 3 .*three/],
    ["of maps", () => runWith("--input", maps), "PE_INPUT_EMPTY", 66, /no series/],
    ["to inspect that does not exist", () => ["inspect", "nowhere"], "PE_INPUT_EMPTY", 66, /"nowhere"/],
    [
      "to export that does not exist",
      () => ["export", "no.hdf5", "--map", "m003t001"],
      "PE_INPUT_EMPTY",
      66,
      /"no.hdf5"/,
    ],
  ])("%s is told in one line", async (_, args, code, status, text) => {
    expect(await expectError(args(), code, status)).toMatch(text);
  });
});

describe("an output", () => {
  test("that is a folder is refused", async () => {
    const told = await expectError(runWith("--output", join(folder, "empty")), "PE_OUTPUT_UNWRITABLE", 73);
    expect(told).toContain("it is a folder");
  });

  test("in a folder that does not exist is refused, and no folder made", async () => {
    const told = await expectError(runWith("--output", join(folder, "none/maps.hdf5")), "PE_OUTPUT_UNWRITABLE", 73);
    expect(told).toContain("make the folder");
  });

  test("that is no maps file is refused and kept", async () => {
    const output = join(await testFolder(), "thesis.hdf5");
    await writeFile(output, "the only copy");
    await expectError(runWith("--output", output), "PE_MAPS_UNREADABLE", 65);
    expect(await readFile(output, "utf8")).toBe("the only copy");
    expect(leftovers(join(output, ".."))).toEqual([]);
  });

  test("in a folder without permission is refused", async ({ skip }) => {
    const options = await unprivileged();
    if (options === undefined) return skip("no user without rights can run the client here");
    const closed = await testFolder();
    await chmod(folder, 0o755);
    await chmod(closed, 0o555);
    await expectError(runWith("--output", join(closed, "maps.hdf5")), "PE_OUTPUT_UNWRITABLE", 73, options);
  });

  test("that another run is writing is refused, with who writes it", async () => {
    const output = join(await testFolder(), "maps.hdf5");
    const lock = await acquireLock(output);
    try {
      const told = await expectError(runWith("--output", output), "PE_OUTPUT_BUSY", 75);
      expect(told).toContain(`process ${process.pid}`);
    } finally {
      await lock.release();
    }
    await runWell(runWith("--output", output));
  });

  test("of a simulation that holds something else is refused", async () => {
    const args = ["simulate", "--model", "injection", "--grid", "2x2", "--samples", "10", "--output"];
    expect(await expectError([...args, shards], "PE_OUTPUT_CONFLICT", 73)).toContain("raw_shard_000_000.hdf5");
    await expectError([...args, maps], "PE_OUTPUT_UNWRITABLE", 73);
  });
});

describe("--help", () => {
  const commands = [
    "run",
    "submit",
    "status",
    "watch",
    "attach",
    "cancel",
    "retry",
    "release",
    "story",
    "workers",
    "tasks",
    "reduce",
    "bench",
    "plot",
    "inspect",
    "export",
    "simulate",
    "demo",
  ];

  test("names every command", async () => {
    const { stdout } = await runWell(["--help"]);
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  test.each(commands)("of %s shows examples whose options it knows", async (name) => {
    const { stdout } = await runWell([name, "--help"]);
    const examples = [...stdout.matchAll(/^ {2}\$ pe-client (.*)$/gm)].map(([, line]) => line!);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example.split(" ")[0]).toBe(name);
      const known = new Set([...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option));
      for (const [option] of example.matchAll(/--[a-z-]+/g)) expect(known).toContain(option);
    }
  });

  test("of run shows examples that plan as they stand", async () => {
    const { stdout } = await runWell(["run", "--help"]);
    const cwd = await testFolder();
    await runWell([
      "simulate",
      "--model",
      "injection",
      "--grid",
      "2x2",
      "--samples",
      "2000",
      "--output",
      join(cwd, "shards"),
    ]);
    for (const [, line] of stdout.matchAll(/^ {2}\$ pe-client (run .*)$/gm))
      await runWell([...line!.split(" "), "--dry-run"], { cwd });
  });

  test("--version is that of the package", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect((await runWell(["--version"])).stdout).toBe(`${version}\n`);
  });
});

test("no failed command leaves a file behind", async () => {
  const { stdout } = await runWell(["inspect", shards, "--json"]);
  expect((JSON.parse(stdout) as { files: number }).files).toBe(4);
  expect(leftovers(folder).map((name) => basename(name))).toEqual([]);
  const { status } = await runClient(["inspect", join(folder, "never.hdf5")]);
  expect(status).toBe(66);
});
