/**
 * The simulation as a command.
 *
 * `npm run simulate -- --seconds 60` runs worlds of fresh seeds on all cores and prints how many core events a minute went by,
 * which pairs of state and event were met, and the first seed that failed with the command that replays it.
 * `--seed N` replays one world with a trace of every event and effect; `--seeds 1:500` runs these seeds;
 * `--mutants` breaks each safety mechanism in turn and says which seed noticed. With `--document` the page of the simulation is told.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addCounts, Coverage, gapsOf, printCoverage, printTables, type Counts } from "./coverage.ts";
import { loadMutant, MUTANTS } from "./mutants.ts";
import { print, row } from "../support/pages/printed.ts";
import { drawOptions } from "./options.ts";
import { CORES, World, type Cores } from "./world.ts";

interface Failure {
  readonly seed: number;
  readonly isCalm: boolean;
  readonly message: string;
}

interface Result {
  readonly worlds: number;
  readonly events: number;
  readonly seconds: number;
  readonly counts: Counts;
  readonly firstSeeds: Readonly<Record<string, number>>;
  readonly failure: Failure | undefined;
}

/** Of so many seeds one is run a second time without faults. */
const CALM_EVERY = 4;

function runSeed(
  seed: number,
  isCalm: boolean,
  cores: Cores,
  coverage?: Coverage,
): { events: number; failure: Failure | undefined } {
  if (coverage !== undefined) coverage.seed = seed;
  const world = new World(drawOptions(seed, isCalm), cores, coverage && { coverage });
  try {
    world.run();
    return { events: world.events, failure: undefined };
  } catch (error) {
    return {
      events: world.events,
      failure: { seed, isCalm, message: error instanceof Error ? error.message : String(error) },
    };
  }
}

/** Runs seeds `first`, `first + step`, ... until one fails, there are no more, or the time is over. */
function runSeeds(first: number, step: number, stop: number, seconds: number, cores: Cores): Result {
  const startMs = performance.now();
  const coverage = new Coverage();
  let [worlds, events] = [0, 0];
  let failure: Failure | undefined;
  for (
    let seed = first;
    seed < stop && failure === undefined && performance.now() - startMs < seconds * 1000;
    seed += step
  ) {
    for (const isCalm of seed % CALM_EVERY === 0 ? [false, true] : [false]) {
      const result = runSeed(seed, isCalm, cores, coverage);
      worlds++;
      events += result.events;
      failure ??= result.failure;
    }
  }
  return { worlds, events, seconds: (performance.now() - startMs) / 1000, ...pairsOf(coverage), failure };
}

function pairsOf({ counts, firstSeeds }: Coverage): Pick<Result, "counts" | "firstSeeds"> {
  return { counts, firstSeeds };
}

function replay(seed: number, isCalm: boolean): void {
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Uint32Array || value instanceof Uint8Array ? `[${value.join(" ").slice(0, 200)}]` : value;
  const world = new World(drawOptions(seed, isCalm), CORES, {
    trace: (who, what) => console.log(`${who} ${JSON.stringify(what, plain)}`),
  });
  console.log(JSON.stringify(world.options, null, 2));
  world.run();
  console.log(`seed ${seed} ends well after ${world.events} events`);
}

function replayCommand({ seed, isCalm }: Failure): string {
  return `npm run simulate -- --seed ${seed}${isCalm ? " --calm" : ""}`;
}

/** Runs a part in a process of its own. */
async function inProcess<Answer>(...parts: readonly (string | number)[]): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), parts.map(String));
    let answer: Answer | undefined;
    child.on("message", (message) => (answer = message as Answer));
    child.on("error", reject);
    child.on("exit", (status) =>
      answer === undefined ? reject(new Error(`a part ended with status ${status}`)) : resolve(answer),
    );
  });
}

const PAGE = "docs/simulation-of-the-scheduler.md";

async function simulate(first: number, stop: number, seconds: number, documents: boolean): Promise<void> {
  const parts = availableParallelism();
  const results = await Promise.all(
    Array.from(
      { length: parts },
      async (_, part) =>
        await inProcess<Result>("--part", first + part, "--step", parts, "--stop", stop, "--seconds", seconds),
    ),
  );
  const counts = new Coverage().counts;
  for (const result of results) addCounts(counts, result.counts);
  const events = results.reduce((sum, result) => sum + result.events, 0);
  const longest = Math.max(...results.map((result) => result.seconds));
  console.log(printCoverage(counts));
  const { missing, surprising } = gapsOf(counts);
  for (const pair of missing) console.log(`not met: ${pair}`);
  const firstSeeds: Record<string, number> = Object.assign({}, ...results.map((result) => result.firstSeeds));
  for (const pair of surprising) console.log(`met, although it cannot be: ${pair} (seed ${firstSeeds[pair]})`);
  const worlds = results.reduce((sum, result) => sum + result.worlds, 0);
  const summary = `${worlds} worlds from seed ${first}, ${events} core events in ${longest.toFixed(1)} s: ${((events / longest) * 60e-6).toFixed(1)} million a minute`;
  console.log(`\n${summary}`);
  if (documents) print(PAGE, "measured pairs", `\`\`\`text\n${printTables(counts)}\n\n${summary}\n\`\`\``);
  const [failure] = results.flatMap((result) => result.failure ?? []).toSorted((a, b) => a.seed - b.seed);
  if (surprising.length > 0) process.exitCode = 1;
  if (failure === undefined) return;
  console.log(`\nseed ${failure.seed} failed: ${failure.message}\nreplay it: ${replayCommand(failure)}`);
  process.exitCode = 1;
}

async function killMutants(seconds: number, documents: boolean): Promise<void> {
  let survivors = 0;
  const noticed = new Map<number, string>();
  const places = MUTANTS.keys();
  const oneAfterTheOther = async (): Promise<void> => {
    for (const place of places) {
      const { name } = MUTANTS[place]!;
      const { failure, seconds: took } = await inProcess<Result>("--mutant", place, "--seconds", seconds);
      if (failure === undefined) survivors++;
      noticed.set(
        place,
        failure === undefined ? "**survived**" : row(name, `${took.toFixed(1)} s`, failure.message.slice(0, 110)),
      );
      const how =
        failure === undefined
          ? "SURVIVED"
          : `seed ${failure.seed}${failure.isCalm ? " calm" : ""}, ${took.toFixed(1)} s: ${failure.message.slice(0, 110)}`;
      console.log(`${name}\n    ${how}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, oneAfterTheOther));
  console.log(`\n${MUTANTS.length - survivors} of ${MUTANTS.length} mutants were killed`);
  const rows = [...noticed].toSorted(([a], [b]) => a - b).map(([, text]) => text);
  const head = ["| mutant | noticed after | by |", "| --- | --- | --- |"];
  if (documents) print(PAGE, "measured mutants", [...head, ...rows].join("\n"));
  if (survivors > 0) process.exitCode = 1;
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    seeds: { type: "string" },
    calm: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    document: { type: "boolean", default: false },
    part: { type: "string" },
    step: { type: "string", default: "1" },
    stop: { type: "string", default: "Infinity" },
    mutant: { type: "string" },
  },
});
const seconds = Number(values.seconds ?? 60);
if (values.part !== undefined)
  process.send!(runSeeds(Number(values.part), Number(values.step), Number(values.stop), seconds, CORES));
else if (values.mutant !== undefined)
  process.send!(runSeeds(1, 1, Infinity, seconds, await loadMutant(Number(values.mutant))));
else if (values.seed !== undefined) replay(Number(values.seed), values.calm);
else if (values.mutants) await killMutants(seconds, values.document);
else {
  const [first, stop] = values.seeds?.split(":").map(Number) ?? [];
  await simulate(
    first ?? 1 + Math.floor(Math.random() * 1e9),
    stop ?? Infinity,
    values.seeds === undefined || values.seconds !== undefined ? seconds : Infinity,
    values.document,
  );
}
