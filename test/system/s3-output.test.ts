/** Maps, reports, pictures and result files on S3: merged, never lost, whoever else writes; against a real server. */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { intoOutput } from "../../client/maps/maps-output.ts";
import { readMaps } from "../../data/maps.ts";
import { readObjectAt, writeObjectAt } from "../../data/objects/by-address.ts";
import { openObjectStore } from "../../data/objects/open.ts";
import { expectError, HOOK_MS, runClient, runWell } from "../support/client.ts";
import { startCluster } from "../support/cluster-processes.ts";
import { fileFolder } from "../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS, goldenPath } from "../support/golden.ts";
import { compareMaps } from "../support/maps-files.ts";
import { accessTo, asUser, makeBucket } from "../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../support/s3/ceph.ts";
import { errorBody, startFaultProxy, type FaultProxy } from "../support/s3/fault-proxy.ts";
import type { S3Server } from "../support/s3/server.ts";

const SHARDS = "s3://lasers/golden  set";

const against = reasonAgainstCeph();
if (against !== undefined) test.skip(`maps to S3: ${against}`, () => {});
else describe("maps to S3", () => suite());

function suite(): void {
  let server: S3Server;
  let proxy: FaultProxy;
  let restore: () => void;
  let input: string;
  let fromDisk: string;
  let state: string;
  let place: string;
  let places = 0;

  beforeAll(async () => {
    server = await startCeph();
    restore = asUser(server);
    proxy = await startFaultProxy(server.port);
    state = await fileFolder();
    process.env.XDG_STATE_HOME = state;
    process.env.AWS_ENDPOINT_URL_S3 = proxy.endpointUrl;
    await makeBucket(server, "lasers");
    const disk = await fileFolder();
    input = await copyGoldenShards(join(disk, "shards"));
    fromDisk = join(disk, "disk.hdf5");
    await runWell(["run", "--input", input, "--output", fromDisk, "--orders", "3-5", "--delays", "1-3"]);
    const store = openObjectStore(SHARDS, accessTo(server));
    for (const name of GOLDEN_SHARDS) await store.write(name, await readFile(goldenPath(name)));
    store.close();
  }, HOOK_MS);
  afterAll(async () => {
    restore?.();
    delete process.env.AWS_ENDPOINT_URL_S3;
    delete process.env.XDG_STATE_HOME;
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(() => {
    place = `s3://lasers/results  of ${places++}`;
    proxy.take();
  });
  afterEach(() => {
    proxy.plan = () => undefined;
  });

  async function names(url: string): Promise<string[]> {
    const store = openObjectStore(url, accessTo(server));
    const found: string[] = [];
    for await (const { name } of store.list()) found.push(name);
    store.close();
    return found;
  }

  const kept = async (): Promise<string[]> => await readdir(join(state, "pe-cluster", "outputs"));

  test("run merges into maps on S3, with report and pictures beside them, and keeps nothing here", async () => {
    const output = `${place}/maps.hdf5`;
    const args = ["run", "--input", input, "--output", output, "--orders", "3-5"];
    await runWell([...args, "--delays", "1,2"]);
    const { stdout } = await runWell([...args, "--delays", "3", "--plot", `${place}/pictures`]);
    expect(stdout).toContain(`${place}/maps.report.md`);
    expect(await compareMaps(output, fromDisk)).toEqual([]);
    const found = await names(place);
    expect(found).toEqual(expect.arrayContaining(["maps.hdf5", "maps.report.json", "maps.report.md"]));
    expect(found.filter((name) => /^pictures\/.*\.png$/.test(name)).length).toBeGreaterThan(3);
    const page = new TextDecoder().decode((await readObjectAt(`${place}/maps.report.md`))!.bytes);
    expect(page).toContain("](<pictures/m003t003.png>)");
    expect(
      JSON.parse(new TextDecoder().decode((await readObjectAt(`${place}/maps.report.json`))!.bytes)),
    ).toMatchObject({
      output,
    });
    expect(await kept()).toEqual([]);
  });

  test("run that cannot put its maps keeps what it computed, and the same command goes on", async () => {
    const output = `${place}/maps.hdf5`;
    const args = ["run", "--input", input, "--output", output, "--orders", "3-5", "--delays", "1-3"];
    proxy.plan = ({ method, url }) =>
      method === "PUT" && url.includes("maps.hdf5") ? { answer: 403, body: errorBody("AccessDenied") } : undefined;
    const line = await expectError(args, "PE_OBJECT_DENIED", 77);
    expect(line).toContain(output);
    expect((await kept()).filter((name) => name.endsWith("maps.hdf5.work"))).toHaveLength(1);
    proxy.plan = () => undefined;
    const { stderr } = await runWell(args);
    expect(stderr).toMatch(/going on: (\d+) of \1 tasks were finished before/);
    expect(await compareMaps(output, fromDisk)).toEqual([]);
    expect(await kept()).toEqual([]);
  });

  test("run finds out before it computes that nothing can be written, or that what is there is no maps file", async () => {
    const args = ["run", "--input", input, "--orders", "3", "--delays", "1", "--output"];
    proxy.plan = ({ method }) => (method === "PUT" ? { answer: 403, body: errorBody("AccessDenied") } : undefined);
    const { stderr } = await runClient([...args, `${place}/maps.hdf5`]);
    expect(stderr).toContain("[PE_OBJECT_DENIED]");
    expect(stderr).not.toContain("writing and verifying");
    proxy.plan = () => undefined;
    await writeObjectAt(`${place}/other.hdf5`, Buffer.from("no maps"));
    const line = await expectError([...args, `${place}/other.hdf5`], "PE_MAPS_UNREADABLE", 65);
    expect(line).toContain(`"${place}/other.hdf5"`);
    expect(Buffer.from((await readObjectAt(`${place}/other.hdf5`))!.bytes).toString()).toBe("no maps");
  });

  test("intoOutput() merges again what somebody else wrote meanwhile", async () => {
    const url = `${place}/list.txt`;
    const textAt = async (path: string): Promise<string> => await readFile(path, "utf8").catch(() => "");
    let made = 0;
    await intoOutput(url, textAt, async ({ publish }) => {
      await publish(async (path, found) => {
        made++;
        // Another machine, which is faster twice: once where nothing was, once over its own.
        if (made <= 2) await writeObjectAt(url, Buffer.from(`${found}other ${made}\n`));
        await writeFile(path, `${found}own\n`);
      });
    });
    expect(made).toBe(3);
    expect(Buffer.from((await readObjectAt(url))!.bytes).toString()).toBe("other 1\nother 2\nown\n");
  });

  test("intoOutput() gives up, and loses nothing, when others never stop writing", async () => {
    const url = `${place}/list.txt`;
    let others = 0;
    const act = intoOutput(
      url,
      async () => undefined,
      async ({ publish }) => {
        await publish(async (path) => {
          await writeObjectAt(url, Buffer.from(`other ${++others}`));
          await writeFile(path, "own");
        });
      },
    );
    await expect(act).rejects.toMatchObject({
      code: "PE_OBJECT_CONFLICT",
      message: expect.stringContaining(`"${url}"`) as string,
    });
    expect(Buffer.from((await readObjectAt(url))!.bytes).toString()).toBe(`other ${others}`);
  });

  test("intoOutput() lets one program of this machine write", async () => {
    const url = `${place}/maps.hdf5`;
    const look = async (): Promise<undefined> => undefined;
    await intoOutput(url, look, async () => {
      await expect(intoOutput(url, look, async () => undefined)).rejects.toMatchObject({
        code: "PE_OUTPUT_BUSY",
        message: expect.stringContaining(`"${url}"`) as string,
      });
      await intoOutput(`${place}/others.hdf5`, look, async () => undefined);
    });
  });

  test("inspect, plot and export read maps on S3, and write there", async () => {
    const maps = `${place}/maps.hdf5`;
    await writeObjectAt(maps, await readFile(fromDisk));
    expect((await runWell(["inspect", maps])).stdout).toContain(`maps file ${maps}: 9 maps of 5 x 4 cells`);
    await runWell(["plot", maps, "--map", "m003t001", "--output", `${place}/map.svg`]);
    await runWell(["export", maps, "--map", "m003t001", "--format", "csv", "--output", `${place}/map.csv`]);
    expect(Buffer.from((await readObjectAt(`${place}/map.svg`))!.bytes).toString()).toContain("<svg");
    const here = await runWell(["export", fromDisk, "--map", "m003t001", "--format", "csv"]);
    expect(Buffer.from((await readObjectAt(`${place}/map.csv`))!.bytes).toString()).toBe(here.stdout);
    await expectError(["inspect", `${place}/none.hdf5`], "PE_INPUT_EMPTY", 66);
    await expect(readMaps(`${place}/none.hdf5`)).rejects.toMatchObject({ code: "PE_INPUT_EMPTY" });
    await expectError(["plot", maps, "--output", `${place}/map.gif`], "PE_PARAMETER", 64);
  });

  test("--endpoint-url finds a server that the environment does not name", async () => {
    const env = { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9" };
    const { stdout } = await runWell(["inspect", SHARDS, "--endpoint-url", server.endpointUrl], { env });
    expect(stdout).toContain("grid 5 x 4");
    const list = await runWell([
      "tasks",
      "--input",
      SHARDS,
      "--orders",
      "6",
      "--delays",
      "2",
      "--output",
      `${place}/r`,
    ]);
    expect(list.stdout.split("\n")[0]).toBe(
      `6\t2\t${SHARDS}/${GOLDEN_SHARDS[0]}\t${place}/r/${GOLDEN_SHARDS[0]}-pe.txt`,
    );
  });

  test("run --dry-run counts the requests and bytes of an input on S3", async () => {
    const args = [
      "run",
      "--input",
      SHARDS,
      "--output",
      `${place}/m.hdf5`,
      "--orders",
      "3",
      "--delays",
      "1",
      "--dry-run",
    ];
    const { stdout } = await runWell([...args, "--shards", "0:2", "--json"]);
    const bytes = await Promise.all(
      GOLDEN_SHARDS.slice(0, 2).map(async (name) => (await readFile(goldenPath(name))).length),
    );
    expect(JSON.parse(stdout)).toMatchObject({ requests: { list: 1, read: 2, bytesRead: bytes[0]! + bytes[1]! } });
    expect((await runWell(args)).stdout).toContain(`requests 1 to list, ${GOLDEN_SHARDS.length} to read`);
    expect(await names(place)).toEqual([]);
  });

  test("submit writes maps, packed parts and result files to S3, and reduce reads both", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("one");
    const request = ["--input", SHARDS, "--orders", "3-5", "--delays", "1-3"];
    const [maps, parts, results] = [`${place}/maps.hdf5`, `${place}/parts`, `${place}/results`];
    await cluster.runWell("submit", ...request, "--output", maps, "--parts", parts);
    expect(await compareMaps(maps, fromDisk)).toEqual([]);
    const reduced = `${place}/reduced.hdf5`;
    await runWell(["reduce", parts, "--output", reduced]);
    expect(await compareMaps(reduced, maps)).toEqual([]);

    const text = await cluster.runWell("submit", ...request, "--part-format", "text", "--output", results);
    expect(text.stdout).toContain(`${GOLDEN_SHARDS.length * 9} result files of 20 series`);
    expect(await names(results)).toContain(`m05t03/${GOLDEN_SHARDS[0]}-pe.txt`);
    const fromText = `${place}/from text.hdf5`;
    await runWell(["reduce", `${results}/m05t03`, "--order", "5", "--delay", "3", "--output", fromText]);
    expect((await readValues(fromText)).get("m005t003")).toEqual((await readValues(fromDisk)).get("m005t003"));

    const list = join(cluster.folder, "tasks.txt");
    const one = ["tasks", "--input", SHARDS, "--orders", "4", "--delays", "2", "--output", `${place}/listed`];
    await writeFile(list, (await runWell(one)).stdout);
    await cluster.runWell("submit", "--task-file", list);
    const name = `${GOLDEN_SHARDS[1]}-pe.txt`;
    expect((await readObjectAt(`${place}/listed/${name}`))!.bytes).toEqual(
      (await readObjectAt(`${results}/m04t02/${name}`))!.bytes,
    );
  });
}

async function readValues(path: string): Promise<Map<string, Float64Array>> {
  const maps = await readMaps(path);
  try {
    return new Map(maps.maps.map(({ name }) => [name, maps.values(name)]));
  } finally {
    maps.close();
  }
}
