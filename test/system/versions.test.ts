/**
 * A cluster that is brought from one version of the protocol and the journal to the next while a job runs. The next version is
 * this one with such additions as a version makes: fields and messages of both sides, and a field of the journal.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { JOURNAL_VERSION } from "../../scheduler/records.ts";
import { changedDist, type DistChanges } from "../support/changed-dist.ts";
import { HOOK_MS } from "../support/client.ts";
import { FaultCluster } from "../support/cluster-faults.ts";
import { makeMaps, mapsJob, submitMaps, untilFinished, type FaultMaps } from "../support/cluster-maps.ts";
import { eventually } from "../support/cluster-programs.ts";
import { compareMaps } from "../support/maps-files.ts";

const NEXT = PROTOCOL_VERSION + 1;

const CHANGES: DistChanges = {
  "protocol/version.js": [[/(PROTOCOL_VERSION = )\d+/, `$1${NEXT}`]],
  "protocol/worker-link.js": [
    ["import { bytes,", "import { since, bytes,"],
    [/( {4}\},\n {4}\/\*\* After `register`: values)/, `        zone: since(${NEXT}, optional(text(64))),\n$1`],
    [
      /alive: \{\},\n\}\)/,
      `alive: { load: since(${NEXT}, optional(u32)) }, greeting: { load: u32 } }, { greeting: ${NEXT} })`,
    ],
  ],
  "scheduler/core/reports.js": [
    [
      /(toWorker\(state, worker.link, )\{ type: "alive" \}\);/,
      '$1{ type: "alive", load: 7 }); $1{ type: "greeting", load: 7 });',
    ],
  ],
  "worker/core/reports.js": [['type: "register",', 'type: "register", zone: "here",']],
  "worker/core/core.js": [
    [
      "alive: () => undefined,",
      'alive: (_, { load }) => console.error("load " + load), greeting: (_, { load }) => console.error("greeted " + load),',
    ],
  ],
  "protocol/journal-records.js": [
    ["import { bytes,", "import { since, bytes,"],
    ["sealed: { job: u32 }", `sealed: { job: u32, by: since(${JOURNAL_VERSION + 1}, optional(text(64))) }`],
  ],
  "scheduler/core/requests.js": [['{ type: "sealed", job: number }', '{ type: "sealed", job: number, by: "next" }']],
  "scheduler/records.js": [[/(JOURNAL_VERSION = )\d+/, `$1${JOURNAL_VERSION + 1}`]],
};

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps("1-60");
}, HOOK_MS);

test("a cluster goes to the next version while a job runs: scheduler, then one worker, then the other", async () => {
  const next = await changedDist(CHANGES);
  const cluster = await FaultCluster.start({ workers: ["a", "b"] });
  const [a, b] = cluster.workers;
  const { output, client } = submitMaps(cluster, maps);
  await untilFinished(cluster, 2);

  // A worker of the next version comes too early: it is told why, although it says more than this scheduler knows.
  const early = cluster.launchWorker("early", [], { dist: next });
  expect((await early.program.ended).status).toBe(69);
  expect(early.program.output.stderr).toMatch(new RegExp(`protocol ${NEXT} .*scheduler ${PROTOCOL_VERSION};`));

  const processBefore = await b!.process();
  cluster.scheduler.signal("SIGTERM");
  await cluster.scheduler.ended;
  await cluster.startScheduler({ dist: next });
  await untilFinished(cluster, 5);

  a!.program.signal("SIGTERM");
  expect((await a!.program.ended).status, a!.program.output.stderr).toBe(0);
  const newer = cluster.launchWorker("a", [], { dist: next });
  const { output: said } = newer.program;
  await eventually(
    () => said.stderr.includes("load 7") && said.stderr.includes("greeted 7"),
    () => `the newer worker is told what is new: ${said.stderr}`,
  );
  await untilFinished(cluster, 10);
  // Of the version before, in its first process.
  expect(await b!.process()).toBe(processBefore);
  expect(b!.program.output.stderr).not.toMatch(/greeted|Cannot decode/);

  const outcome = await client.outcome;
  expect(outcome.status, outcome.stderr).toBe(0);
  expect(await compareMaps(output, maps.clean)).toEqual([]);
  const job = (await mapsJob(cluster))!;
  expect(job.counts.finished).toBe(job.tasks);

  // A client of the version before opens another job, which the journal keeps in the words of the next.
  const later = await cluster.client();
  expect(await later.submit("noop", { tag: 3 }).result()).toBe(3);
  await cluster.stop();
  const journal = (): string[] =>
    readdirSync(cluster.journal)
      .filter((name) => name.endsWith(".journal"))
      .map((name) => `${name} ${readFileSync(join(cluster.journal, name)).toString("base64")}`);
  const before = journal();
  await expect(cluster.startScheduler()).rejects.toThrow(
    `its content has version ${JOURNAL_VERSION + 1}, this program reads version ${JOURNAL_VERSION}`,
  );
  expect(journal()).toEqual(before);
});
