/** What is made of maps: pictures, exports, listings, plans; and what goes to which stream. */
import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { readMaps } from "../../data/maps.ts";
import { parseResults } from "../../data/result-text.ts";
import { HOOK_MS, ROOT, runClient, runWell, startClient } from "../support/client.ts";
import { fileFolder, testFolder } from "../support/folders.ts";
import { copyGoldenShards } from "../support/golden.ts";

const PNG_SIGNATURE = "89504e470d0a1a0a";
const MAIN = join(ROOT, "dist/client/cli/main.js");

let shards = "";
let maps = "";

beforeAll(async () => {
  const folder = await fileFolder();
  shards = await copyGoldenShards(join(folder, "shards"));
  maps = join(folder, "maps.hdf5");
  await runWell(["run", "--input", shards, "--output", maps, "--orders", "3,4", "--delays", "1-4", "--x", "0:4"]);
}, HOOK_MS);

describe("plot", () => {
  test.each([
    ["a map", ["--map", "m003t001"]],
    ["a delay scan", ["--scan", "1,2", "--interval", "50ps"]],
    ["a sheet", []],
  ])("draws %s as SVG and as PNG", async (_, options) => {
    const folder = await testFolder();
    for (const extension of ["svg", "png"]) {
      const output = join(folder, `figure.${extension}`);
      const { stdout } = await runWell(["plot", maps, ...options, "--output", output]);
      expect(stdout).toBe(`wrote ${output}\n`);
    }
    expect(await readFile(join(folder, "figure.svg"), "utf8")).toMatch(/^<svg[\s\S]*<\/svg>\s*$/);
    expect((await readFile(join(folder, "figure.png"))).subarray(0, 8).toString("hex")).toBe(PNG_SIGNATURE);
    expect(await readdir(folder)).toHaveLength(2);
  });

  test("puts the orders and delays that are asked for on a sheet, and no others", async () => {
    const output = join(await testFolder(), "sheet.svg");
    await runWell(["plot", maps, "--orders", "3", "--delays", "2-3", "--output", output]);
    const panels = (await readFile(output, "utf8")).match(/m = \d, τ = \d/g) ?? [];
    expect(panels).toEqual(["m = 3, τ = 2", "m = 3, τ = 3"]);
    const { status, stderr } = await runClient(["plot", maps, "--orders", "7", "--output", output]);
    expect([status, stderr]).toEqual([64, expect.stringContaining("the file has no such map")]);
  });

  test("finds out that the folder of the pictures is none before anything is computed", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "pictures"), "");
    const run = ["run", "--input", shards, "--output", join(folder, "m.hdf5"), "--orders", "3", "--delays", "1"];
    const { status, stderr } = await runClient([...run, "--plot", join(folder, "pictures")]);
    expect([status, stderr]).toEqual([73, expect.stringContaining("PE_OUTPUT_UNWRITABLE")]);
    expect(await readdir(folder)).toEqual(["pictures"]);
  });

  test("writes the labels that it is given", async () => {
    const output = join(await testFolder(), "map.svg");
    await runWell(["plot", maps, "--map", "m003t001", "--x-label", "Pump <current> (mA)", "--output", output]);
    const svg = await readFile(output, "utf8");
    expect(svg).toContain("Pump &lt;current&gt;");
  });

  test("of run --plot draws every map, a sheet and a scan", async () => {
    const folder = await testFolder();
    const args = ["run", "--input", shards, "--output", join(folder, "maps.hdf5"), "--orders", "3", "--delays", "1-3"];
    const { stdout } = await runWell([...args, "--plot", join(folder, "pictures")]);
    const pictures = (await readdir(join(folder, "pictures"))).toSorted();
    expect(pictures.filter((name) => name.startsWith("m003"))).toEqual([
      "m003t001.png",
      "m003t002.png",
      "m003t003.png",
    ]);
    expect(pictures.some((name) => name.startsWith("scan_pe_"))).toBe(true);
    expect(pictures).toContain("sheet_pe.png");
    expect(stdout).toContain(`wrote ${pictures.length} pictures to ${join(folder, "pictures")}`);
    const report = await readFile(join(folder, "maps.report.md"), "utf8");
    for (const name of pictures) expect(report).toContain(`](<pictures/${name}>)`);
  });
});

describe("export", () => {
  test("never writes over a maps file or a shard", async () => {
    const before = await readFile(maps);
    const { status, stderr } = await runClient(["export", maps, "--map", "m003t001", "--output", maps]);
    expect([status, stderr]).toEqual([73, expect.stringContaining("it is an HDF5 file; name another output")]);
    expect(Buffer.compare(await readFile(maps), before)).toBe(0);
  });

  async function values(): Promise<Float64Array> {
    const file = await readMaps(maps);
    try {
      return file.values("m003t002");
    } finally {
      file.close();
    }
  }

  test("as text reads back to the same bits, holes left out", async () => {
    const { stdout } = await runWell(["export", maps, "--map", "m003t002"]);
    const found = new Float64Array(20).fill(NaN);
    for (const { x, y, value } of parseResults(stdout, "export")) found[x * 4 + y] = value;
    expect(found).toEqual(await values());
    expect(stdout.split("\n")).toHaveLength(16 + 1);
  });

  test("as CSV has a line a cell, and nothing where there is no value", async () => {
    const { stdout } = await runWell(["export", maps, "--map", "m003t002", "--format", "csv"]);
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toBe("x,y,x_variable,y_variable,value");
    expect(lines).toHaveLength(20);
    const found = Float64Array.from(lines, (line) => {
      const last = line.split(",")[4]!;
      return last === "" ? NaN : Number(last);
    });
    expect(found).toEqual(await values());
  });

  test("as JSON has rows of x and columns of y, null where there is no value", async () => {
    const { stdout } = await runWell(["export", maps, "--map", "m003t002", "--format", "json"]);
    const parsed = JSON.parse(stdout) as { values: (number | null)[][]; x_size: number; y_size: number };
    expect(parsed).toMatchObject({ name: "m003t002", order: 3, delay: 2, measure: "pe", x_size: 5, y_size: 4 });
    expect(Float64Array.from(parsed.values.flat(), (value) => value ?? NaN)).toEqual(await values());
  });

  test("--output writes what stdout would have got", async () => {
    const output = join(await testFolder(), "map.txt");
    const { stdout } = await runWell(["export", maps, "--map", "m003t002", "--output", output]);
    expect(stdout).toBe("");
    expect(await readFile(output, "utf8")).toBe((await runWell(["export", maps, "--map", "m003t002"])).stdout);
  });
});

describe("inspect", () => {
  test.each<[string, () => string, RegExp, object]>([
    ["maps", () => maps, /8 maps of 5 x 4 cells[\s\S]*m003t001 .*16 of 20 cells done/, { kind: "maps", grid: [5, 4] }],
    ["a folder", () => shards, /4 shards .*grid 5 x 4/, { kind: "shards", files: 4, samples: 600 }],
    ["a pattern", () => join(shards, "raw_shard_000_*"), /2 shards/, { kind: "shards", files: 2 }],
    ["a shard", () => join(shards, "raw_shard_000_000.hdf5"), /9 series, 0 problems/, { kind: "shard", problems: [] }],
  ])("of %s tells what is there, as text and as JSON", async (_, path, text, record) => {
    expect((await runWell(["inspect", path()])).stdout).toMatch(text);
    expect(JSON.parse((await runWell(["inspect", path(), "--json"])).stdout)).toMatchObject(record);
  });

  test("of a text series tells its length and type", async () => {
    const path = join(await testFolder(), "series.txt");
    await writeFile(path, "# a comment\n1\n2\n\n300\n");
    expect(JSON.parse((await runWell(["inspect", path, "--json"])).stdout)).toMatchObject({
      kind: "text",
      samples: 3,
      type: "uint16",
    });
  });
});

describe("run --dry-run", () => {
  test("prints the plan on stdout and writes nothing", async () => {
    const folder = await testFolder();
    const args = [
      "run",
      "--input",
      shards,
      "--output",
      join(folder, "maps.hdf5"),
      "--orders",
      "3-5",
      "--delays",
      "1-9",
    ];
    const { stdout, stderr } = await runWell([...args, "--dry-run"]);
    expect(stdout).toMatch(
      /grid 5 x 4[\s\S]*20 of 600 samples[\s\S]*27: pe at orders 3-5, delays 1-9[\s\S]*windows in/,
    );
    expect(stderr).toBe("");
    const plan = JSON.parse((await runWell([...args, "--dry-run", "--json"])).stdout) as object;
    expect(plan).toMatchObject({ grid: [5, 4], series: 20, samples: 600, tasks: 4 });
    expect(await readdir(folder)).toEqual([]);
  });

  test("counts delays that are given as times", async () => {
    const args = ["run", "--input", shards, "--output", "maps.hdf5", "--orders", "3", "--interval", "50ps"];
    const { stdout } = await runWell([...args, "--delays", "1,0.1ns,4.5ns", "--dry-run", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ delays: [1, 2, 90] });
  });
});

describe("the streams", () => {
  const shell = promisify(execFile);

  test("of a run without a terminal carry no control characters", async () => {
    const folder = await testFolder();
    const args = ["run", "--input", shards, "--output", join(folder, "maps.hdf5"), "--orders", "3", "--delays", "1"];
    const { stdout, stderr } = await runWell([...args, "--plot", join(folder, "pictures")]);
    // oxlint-disable-next-line no-control-regex
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stdout).not.toContain("computing");
    expect(stderr).not.toContain("maps.report");
  });

  test("may be closed by the reader without harm", async () => {
    const { child, outcome } = startClient(["inspect", maps, "--json"]);
    // Long before the client has anything to write.
    child.stdout!.destroy();
    expect(await outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  test("on a full device are an error", async ({ skip }) => {
    if (process.platform !== "linux") return skip("needs /dev/full");
    const { stderr } = await shell("sh", [
      "-c",
      `"${process.execPath}" "${MAIN}" export "${maps}" --map m003t001 > /dev/full; echo "status $?" >&2`,
    ]);
    expect(stderr).toMatch(/^pe-client: Cannot write the result: .*\[PE_DISK_FULL\]\nstatus 74\n$/);
  });

  test("tell a stack only when asked to", async () => {
    const plain = await runClient(["inspect", "nowhere"]);
    expect(plain.stderr.trimEnd().split("\n")).toHaveLength(1);
    const traced = await runClient(["inspect", "nowhere"], { env: { PE_TRACE: "1" } });
    expect(traced.stderr).toMatch(/\n\s+at /);
  });
});
