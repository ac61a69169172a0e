/**
 * Goal: a writer that is killed at any moment leaves the old file or the new one, whole, and no lock.
 * Method: a process of the built package publishes two states of a maps file in turn, as fast as it can, and is killed
 * with SIGKILL after times that a seeded generator draws; whenever that hits, the file must hold one state throughout.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { Random } from "../../../common/random.ts";
import { acquireLock } from "../../../data/lock.ts";
import { readMaps } from "../../../data/maps.ts";
import { testFolder } from "../../support/folders.ts";

const DIST = pathToFileURL(join(import.meta.dirname, "../../../dist/data/")).href;
const KILLS = 12;
const KILL_AFTER_MS = 60;

/** Publishes 8 maps whose cells all hold 0.25, then 0.75, and so on; says so after each. */
const PUBLISH_FOR_EVER = `
const { publishMaps } = await import("${DIST}maps.js");
const cells = 40 * 30;
const maps = (value) => [1, 2, 3, 4, 5, 6, 7, 8].map((delay) => ({ order: 5, delay, measure: "pe", load: async () => ({
  values: new Float64Array(cells).fill(value), status: new Uint8Array(cells).fill(1) }) }));
for (let turn = 0; ; turn++) {
  await publishMaps(process.argv[1], { xSize: 40, ySize: 30, software: "test", kernel: "1", dateIso: "2024", replace: false,
    source: { digest: "ab".repeat(32), shards: [{ name: "a", bytes: 1, modifiedMs: 1 }] }, owners: new Int32Array(cells),
    coordinates: { x: new Float64Array(cells).fill(1), y: new Float64Array(cells).fill(2) }, maps: maps(turn % 2 ? 0.75 : 0.25) });
  console.log(turn);
}`;

const HOLD_LOCK = `
const { acquireLock } = await import("${DIST}lock.js");
await acquireLock(process.argv[1]);
console.log("locked");
setInterval(() => undefined, 1000);`;

function start(script: string, path: string): ChildProcess {
  return spawn(process.execPath, ["--input-type=module", "-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

describe("publishMaps()", () => {
  it(
    "leaves a whole file wherever it is killed, and the next writer removes what was left",
    { timeout: 120_000 },
    async () => {
      const folder = await testFolder();
      const path = join(folder, "maps.hdf5");
      const random = new Random(20);
      for (let round = 0; round < KILLS; round++) {
        const child = start(PUBLISH_FOR_EVER, path);
        await once(child.stdout!, "data");
        await sleep(random.uniform() * KILL_AFTER_MS);
        await kill(child);
        const maps = await readMaps(path);
        const held = new Set(maps.maps.flatMap(({ name }) => [...maps.values(name)]));
        expect(maps.maps).toHaveLength(8);
        expect([[0.25], [0.75]]).toContainEqual([...held]);
        maps.close();
      }
      const last = start(PUBLISH_FOR_EVER, path);
      await once(last.stdout!, "data");
      const left = await readdir(folder);
      await kill(last);
      // The last writer's own file may be there, of all those before it none.
      expect(left.filter((name) => name.endsWith(".tmp") && !name.includes(`-${last.pid}-`))).toEqual([]);
    },
  );
});

describe("acquireLock()", () => {
  it("is free again as soon as its holder is killed", async () => {
    const path = join(await testFolder(), "maps.hdf5");
    const child = start(HOLD_LOCK, path);
    await once(child.stdout!, "data");
    await expect(acquireLock(path)).rejects.toMatchObject({
      code: "PE_OUTPUT_BUSY",
      message: expect.stringContaining(`process ${child.pid}`),
    });
    await kill(child);
    await (await acquireLock(path)).release();
  });
});
