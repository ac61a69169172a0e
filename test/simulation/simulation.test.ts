/**
 * Goal: whatever happens to network, disk, workers, scheduler and clients, nothing that was promised is lost, nothing is counted
 * twice, and everything ends.
 * Method: the real cores of scheduler and worker in a virtual cluster decided by a seed, with invariants after each step and
 * full checks at crashes and at the end (docs/simulation-of-the-scheduler.md). Fixed seeds, and fresh ones for a while; more of
 * them by `npm run simulate`.
 * Replay of a seed: `npm run simulate -- --seed N`, with `--calm` where the test says so.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mutated, MUTANTS } from "./mutants.ts";
import { drawOptions } from "./options.ts";
import { nowAt } from "../support/never-ended.ts";
import { World } from "./world.ts";

const FIXED_SEEDS = 300;
/** A minute where nobody sits and waits. */
const FRESH_SECONDS = process.env["CI"] ? 60 : 3;

/**
 * Seeds that once found a bug, by what they found. The world has grown since, so that a seed may decide another world now: what
 * each bug was has its unit test, too.
 */
const FOUND: Readonly<Record<string, number>> = {
  "a failure told again after a reconnection counted twice": 285,
  "a retry stood in the journal before an error that it had undone": 202,
  "a suspected task stayed in line after its job was released": 133,
  "a worker with a suspect got more work when it came back": 690002579,
  "an innocent task was condemned while its worker came back": 350,
  "a death that was only a closed connection was the last of three": 1120,
  "a task behind a late report was never ended": 207,
  "a job's mean stayed in the worker after the job was forgotten": 409,
  "another job took the id of one that was released a moment ago, and the client of that one gave up": 5045,
  "a connection that was over was told that a report is stored, of which the one that counted was not yet": 860588448,
  "what a worker held of two jobs that had one number, of two lost journals, was taken for tasks of one job": 239955466,
  "a task whose need had failed ended its job, and with it what was being handed out": 84381651,
  "a copy that the disk had lost was looked for again and again on the worker that had lost it": 120742558,
  "a result that nobody wanted any more was put into the place of one that was on its way to the disk": 791680387,
  "a value of a job that an error had ended was computed again for a task of another job (the simulation forbade it)": 239471157,
  "a value that was sought could not be computed again, and that ended its job (the simulation took it for a request refused)": 893574111,
  "a value made on a leaving worker after its others had moved stayed there": 35192346,
  "an acquittal that was not durable when the scheduler died is a death again (of the simulation's own count)": 662975486,
};

function run(seed: number, isCalm = false): void {
  try {
    new World(drawOptions(seed, isCalm)).run();
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(
      `seed ${seed} fails; replay it: npm run simulate -- --seed ${seed}${isCalm ? " --calm" : ""}\n${reason}`,
      {
        cause: error,
      },
    );
  }
}

describe("the simulated cluster", () => {
  for (const [what, seed] of Object.entries(FOUND))
    test(`ends well with seed ${seed}, which found that ${what}`, () => {
      run(seed);
      run(seed, true);
    });

  test(`ends well with seeds 1 to ${FIXED_SEEDS}`, () => {
    for (let seed = 1; seed <= FIXED_SEEDS; seed++) run(seed);
  });

  test(
    `ends well with fresh seeds for ${FRESH_SECONDS} s`,
    () => {
      const first = 1 + Math.floor(Math.random() * 1e9);
      const stopMs = performance.now() + FRESH_SECONDS * 1000;
      for (let seed = first; performance.now() < stopMs; seed++) {
        const isCalm = seed % 5 === 0;
        nowAt(`seed ${seed}${isCalm ? " --calm" : ""}`);
        run(seed, isCalm);
      }
      nowAt(undefined);
    },
    FRESH_SECONDS * 1000 + 60_000,
  );

  test("begins every task exactly once where there are no faults", () => {
    for (let seed = 1; seed <= FIXED_SEEDS; seed += 3) run(seed, true);
  });
});

describe("mutants", () => {
  test("each have their place in the cores as they are", () => {
    for (const mutant of MUTANTS) {
      const text = readFileSync(new URL(`../../${mutant.file}`, import.meta.url), "utf8");
      expect(mutated(text, mutant), mutant.name).not.toBe(text);
    }
  });

  test("each have a name of their own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });
});
