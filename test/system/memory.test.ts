/** Memory stays bounded: four times the shards take hardly more of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { HOOK_MS, runWell } from "../support/client.ts";
import { fileFolder, testFolder } from "../support/folders.ts";
import { writeLargeShards } from "../support/large-shards.ts";

const SHARDS = 80;
/** 60 further shards are 190 MB of files: whoever kept them, or a third of them, would not stay below this. */
const GROWTH_BYTES_MAX = 60e6;

let input = "";

beforeAll(async () => {
  input = join(await fileFolder(), "shards");
  await writeLargeShards(input, SHARDS);
}, HOOK_MS);

/** Largest resident memory of a run, in bytes. */
async function peakOf(shards: string, options: readonly string[]): Promise<number> {
  const folder = await testFolder();
  const told = join(folder, "peak.txt");
  const teller = join(folder, "teller.cjs");
  await writeFile(
    teller,
    `const { isMainThread } = require("node:worker_threads");
     if (isMainThread) process.on("exit", () =>
       require("node:fs").writeFileSync(${JSON.stringify(told)}, String(process.resourceUsage().maxRSS)));`,
  );
  const args = ["run", "--input", input, "--output", join(folder, "maps.hdf5"), "--threads", "2", "--shards", shards];
  await runWell([...args, ...options], { env: { NODE_OPTIONS: `--require ${teller}` } });
  return Number(await readFile(told, "utf8")) * 1024;
}

test("the memory of a run does not grow with the number of shards", async () => {
  const options = ["--orders", "3-5", "--delays", "1-3"];
  const few = await peakOf("0:20", options);
  const many = await peakOf("0:80", options);
  console.log(`peak of 20 shards ${Math.round(few / 1e6)} MB, of 80 shards ${Math.round(many / 1e6)} MB`);
  expect(many - few).toBeLessThan(GROWTH_BYTES_MAX);
});
