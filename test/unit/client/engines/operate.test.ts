import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PeError } from "../../../../common/errors.ts";
import { acquireLock } from "../../../../data/lock.ts";
import { clusterFiles, clusterFolder, clusterNames, readRecord } from "../../../../client/engines/cluster-record.ts";
import type { Engine, ManagedCluster } from "../../../../client/engines/engine.ts";
import { scaleCluster, startCluster, stopCluster } from "../../../../client/engines/operate.ts";
import { testFolder } from "../../../support/folders.ts";

beforeEach(async () => {
  vi.stubEnv("XDG_STATE_HOME", await testFolder());
});
afterEach(() => vi.unstubAllEnvs());

const REQUEST = { options: { colour: "red" }, workers: 1, workerArguments: [], joinSeconds: 1 };
const STOP = { drainSeconds: 1, purge: false, forget: false };
const told: string[] = [];
const tell = (text: string): void => void told.push(text);
const refused = new PeError("PE_ENGINE", "Cannot do it");

/** An engine that does what it is told in this process, which is nothing. */
function engineOf(acts: Partial<Engine> = {}) {
  const calls: string[] = [];
  const note =
    (name: string) =>
    async (cluster: ManagedCluster): Promise<void> => {
      calls.push(`${name} ${JSON.stringify(cluster.options)}`);
      return await Promise.resolve();
    };
  const engine: Engine = {
    name: "paper",
    where: "on paper",
    options: [],
    examples: [],
    joinSeconds: 1,
    read: async () => await Promise.resolve({ options: {}, workers: 1 }),
    start: note("start"),
    scale: note("scale"),
    stop: note("stop"),
    list: async () => await Promise.resolve([]),
    ...acts,
  };
  return { engine, calls };
}

/** A cluster as after a start that was cut off. */
async function begun(engine: Engine): Promise<void> {
  mkdirSync(clusterFolder("one"), { recursive: true, mode: 0o700 });
  const record = { version: 1, engine: engine.name, options: { colour: "red" }, workers: 1, workerArguments: [] };
  writeFileSync(clusterFiles(clusterFolder("one")).record, JSON.stringify(record));
  expect(await clusterNames()).toEqual(["one"]);
}

describe("startCluster()", () => {
  test("takes back what it began when there is no scheduler, and says why", async () => {
    const { engine, calls } = engineOf({ start: async () => await Promise.reject(refused) });
    await expect(startCluster(engine, "one", REQUEST, tell)).rejects.toBe(refused);
    expect(calls).toEqual(['stop {"colour":"red"}']);
    expect(await clusterNames()).toEqual([]);
  });

  test("leaves a cluster that was there when it cannot mend it", async () => {
    const { engine, calls } = engineOf({ start: async () => await Promise.reject(refused) });
    await begun(engine);
    await expect(startCluster(engine, "one", REQUEST, tell)).rejects.toBe(refused);
    expect(calls).toEqual([]);
    expect(await clusterNames()).toEqual(["one"]);
  });

  test("starts nothing where all of it runs, and tells of options that change nothing", async () => {
    const running = { role: "worker", name: "a", host: "here", state: "running" } as const;
    const list = async () => await Promise.resolve([{ ...running, role: "scheduler" } as const, running]);
    const { engine, calls } = engineOf({ list });
    await begun(engine);
    told.length = 0;
    const same = await startCluster(engine, "one", REQUEST, tell);
    expect([same, told]).toEqual([{ started: false, workers: 1, problem: undefined }, []]);
    await startCluster(engine, "one", { ...REQUEST, options: { colour: "blue" } }, tell);
    expect(told).toEqual(["it keeps the options that it was started with first; stop it to change them"]);
    expect(calls).toEqual([]);
  });

  test("refuses a name that another engine has, and one that is no name of a folder", async () => {
    await begun(engineOf({ name: "stone" }).engine);
    const { engine } = engineOf();
    await expect(startCluster(engine, "one", REQUEST, tell)).rejects.toThrow(
      'Cannot use cluster "one" here: it is one of pe-client cluster stone; give this one another --name',
    );
    await expect(startCluster(engine, "../one", REQUEST, tell)).rejects.toThrow(/Cannot name a cluster "..\/one"/);
  });

  test("waits for nobody who changes the same cluster", async () => {
    const { engine } = engineOf();
    await begun(engine);
    const lock = await acquireLock(clusterFiles(clusterFolder("one")).record);
    await expect(startCluster(engine, "one", REQUEST, tell)).rejects.toMatchObject({ code: "PE_OUTPUT_BUSY" });
    await lock.release();
  });
});

describe("scaleCluster()", () => {
  test("of no cluster says how to start one", async () => {
    const { engine } = engineOf();
    await expect(scaleCluster(engine, "one", 3, { joinSeconds: 1, drainSeconds: 1 }, tell)).rejects.toThrow(
      /none runs; see pe-client cluster list, or start it: pe-client cluster paper start --help/,
    );
  });
});

describe("stopCluster()", () => {
  test("ends a cluster once, and keeps its folder", async () => {
    const { engine, calls } = engineOf();
    await begun(engine);
    expect(await stopCluster(engine, "one", STOP, tell)).toBe("ended");
    expect(await stopCluster(engine, "one", STOP, tell)).toBe("none");
    expect(calls).toEqual(['stop {"colour":"red"}']);
    expect(readdirSync(clusterFolder("one"))).toEqual(["stopped.json"]);
  });

  test("with purge removes the folder, and what an earlier stop has left on the machines", async () => {
    const { engine, calls } = engineOf();
    await begun(engine);
    await stopCluster(engine, "one", STOP, tell);
    expect(await stopCluster(engine, "one", { ...STOP, purge: true }, tell)).toBe("purged");
    expect(calls).toEqual(['stop {"colour":"red"}', 'stop {"colour":"red"}']);
    expect(existsSync(clusterFolder("one"))).toBe(false);
    expect(await stopCluster(engine, "one", { ...STOP, purge: true }, tell)).toBe("none");
  });

  test("keeps a cluster of which something may still run, unless it is to be forgotten", async () => {
    const { engine } = engineOf({ stop: async () => await Promise.reject(refused) });
    await begun(engine);
    await expect(stopCluster(engine, "one", STOP, tell)).rejects.toBe(refused);
    expect(await clusterNames()).toEqual(["one"]);
    told.length = 0;
    expect(await stopCluster(engine, "one", { ...STOP, forget: true }, tell)).toBe("ended");
    expect([await clusterNames(), told]).toEqual([[], ["forgotten: Cannot do it"]]);
  });
});

describe("readRecord()", () => {
  test("refuses a record of a later version", async () => {
    const folder = await testFolder();
    writeFileSync(clusterFiles(folder).record, '{ "version": 2 }');
    await expect(readRecord(folder)).rejects.toThrow(/it is of version 2, this program knows 1/);
  });
});
