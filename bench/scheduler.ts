/**
 * The scheduler beside dask.distributed: the same tasks, 2 workers with a thread each, client and scheduler on this machine
 * too. All contestants are asked each question in turn, in every round, so that a drift of the machine meets all of them;
 * a ratio is taken within a round, and the median of the rounds is told.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { startLocal, startOnProcesses } from "./client-contestant.ts";
import type { Contestant, Figures, Measure } from "./contestant.ts";
import { findDasks, startDask } from "./dask-peer.ts";
import { median } from "./measure.ts";

interface Question {
  readonly name: string;
  readonly measure: Measure;
  readonly unit: "tasks/s" | "ms" | "share";
  /** The ratio to the best peer, or the value, that is asked of this product. */
  readonly bar: number;
  /** Not what peers have. */
  readonly own?: boolean;
}

const QUESTIONS: readonly Question[] = [
  { name: "map 10k", measure: { measure: "map", tasks: 10_000 }, unit: "tasks/s", bar: 25 },
  { name: "map 50k", measure: { measure: "map", tasks: 50_000 }, unit: "tasks/s", bar: 25 },
  { name: "map + gather 10k", measure: { measure: "map-gather", tasks: 10_000 }, unit: "tasks/s", bar: 25 },
  { name: "merge 20k -> 1", measure: { measure: "merge", tasks: 20_000 }, unit: "tasks/s", bar: 20 },
  { name: "binary tree of 20k", measure: { measure: "tree", tasks: 20_000 }, unit: "tasks/s", bar: 20 },
  { name: "grid of 100 x 100", measure: { measure: "stencil", side: 100 }, unit: "tasks/s", bar: 20 },
  { name: "round trip", measure: { measure: "round-trip", times: 200 }, unit: "ms", bar: 1 },
  {
    name: "round trip, volatile",
    measure: { measure: "round-trip", times: 200, volatile: true },
    unit: "ms",
    bar: 1,
    own: true,
  },
  { name: "tasks of 10 ms", measure: { measure: "efficiency", tasks: 400, taskMs: 10 }, unit: "share", bar: 0.97 },
  { name: "tasks of 1 ms", measure: { measure: "efficiency", tasks: 4000, taskMs: 1 }, unit: "share", bar: 0.9 },
  { name: "tasks of 0.1 ms", measure: { measure: "efficiency", tasks: 20_000, taskMs: 0.1 }, unit: "share", bar: 0.8 },
];

/** Found by peers/find_best.py on 2 cores; the default beside it, for scale. */
const DASK_BEST = ["lean-uvloop", "apart-uvloop"];
const DASK_DEFAULT = "default";
/** The default takes 2 ms a task: larger questions tell no more. */
const DEFAULT_TASKS_MAX = 10_000;

/** Values by question, then by contestant. */
type Round = Readonly<Record<string, Readonly<Record<string, number>>>>;

export async function benchScheduler(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      peers: { type: "boolean", default: false },
      defaults: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      repeats: { type: "string", default: "5" },
      only: { type: "string", default: "" },
      shape: { type: "string", default: "processes,local" },
      profiles: { type: "string" },
      from: { type: "string", multiple: true },
      json: { type: "boolean", default: false },
    },
  });
  const only = new RegExp(values.only);
  const questions = QUESTIONS.filter(({ name }) => only.test(name));
  const rounds: Round[] = [];
  if (values.from === undefined)
    for (let round = 0; round < Number(values.rounds); round++)
      rounds.push(await oneRound(questions, { ...values, repeats: Number(values.repeats) }));
  for (const file of values.from ?? [])
    for (const round of JSON.parse(await readFile(file, "utf8")) as Round[]) rounds.push(round);
  console.log(values.json ? JSON.stringify(rounds) : table(questions, rounds));
}

interface RoundOptions {
  /** Times that this product is asked each question in a round. */
  readonly repeats: number;
  readonly peers: boolean;
  readonly defaults: boolean;
  readonly shape: string;
  readonly profiles?: string | undefined;
}

async function oneRound(questions: readonly Question[], options: RoundOptions): Promise<Round> {
  const contestants: Contestant[] = [];
  const round: Record<string, Record<string, number>> = {};
  try {
    for (const start of await startsOf(options)) contestants.push(await start());
    for (const { name, measure, own, unit } of questions) {
      const values: Record<string, number> = {};
      for (const contestant of contestants) {
        if (own === true && !isOurs(contestant.name)) continue;
        if (isDefault(contestant.name) && "tasks" in measure && measure.tasks > DEFAULT_TASKS_MAX) continue;
        // What takes a tenth of a second here takes seconds there, and Node compiles what it has run often: the median of several
        // makes up for both.
        const repeats = isOurs(contestant.name) ? options.repeats : 1;
        const found: number[] = [];
        for (let repeat = 0; repeat < repeats; repeat++) found.push(valueOf(await contestant.run(measure), measure));
        values[contestant.name] = median(found);
        console.error(`${name.padEnd(22)} ${contestant.name.padEnd(34)} ${shown(values[contestant.name]!, unit)}`);
      }
      round[name] = values;
    }
    return round;
  } finally {
    for (const contestant of contestants.toReversed()) await contestant.close();
  }
}

async function startsOf({ peers, defaults, shape, profiles }: RoundOptions): Promise<(() => Promise<Contestant>)[]> {
  const starts: (() => Promise<Contestant>)[] = [];
  if (shape.includes("processes")) starts.push(() => startOnProcesses({ profiles }));
  if (shape.includes("local")) starts.push(() => startLocal());
  if (!peers) return starts;
  const pythons = await findDasks();
  if (pythons.length === 0)
    throw new Error("Cannot find dask: run bench/peers/setup.sh, or apt-get install python3-distributed");
  for (const python of pythons)
    for (const configuration of defaults ? [...DASK_BEST, DASK_DEFAULT] : DASK_BEST)
      starts.push(() => startDask(python, configuration));
  return starts;
}

function valueOf({ seconds, tasks, medianMs, efficiency }: Figures, measure: Measure): number {
  if (efficiency !== undefined) return efficiency;
  if (medianMs !== undefined) return medianMs;
  return (tasks ?? ("tasks" in measure ? measure.tasks : 1)) / seconds!;
}

function isOurs(contestant: string): boolean {
  return contestant.startsWith("pe-cluster");
}

/** Of a peer that is quoted for scale, not compared with. */
function isDefault(contestant: string): boolean {
  return contestant.endsWith(` ${DASK_DEFAULT}`);
}

function table(questions: readonly Question[], rounds: readonly Round[]): string {
  const blocks = questions.flatMap((question) => {
    const answers = rounds.flatMap((round) => (question.name in round ? [round[question.name]!] : []));
    return answers.length === 0 ? [] : [block(question, answers)];
  });
  return [`medians (least to greatest) of ${rounds.length} interleaved rounds`, ...blocks].join("\n\n");
}

function block({ name, unit, bar }: Question, answers: readonly Readonly<Record<string, number>>[]): string {
  const contestants = [...new Set(answers.flatMap((answer) => Object.keys(answer)))];
  const lines = contestants.map((contestant) => {
    const values = answers.flatMap((answer) => (contestant in answer ? [answer[contestant]!] : []));
    const range = `(${shown(Math.min(...values), unit)} to ${shown(Math.max(...values), unit)})`;
    return `  ${contestant.padEnd(34)} ${shown(median(values), unit).padStart(9)} ${range.padEnd(24)} ${verdict(contestant, answers, unit)}`;
  });
  const asked =
    unit === "tasks/s"
      ? `at least ${bar} times the best peer`
      : unit === "ms"
        ? `at most ${bar} ms`
        : `at least ${bar}`;
  return [`${name}: ${asked}`, ...lines].join("\n").trimEnd();
}

/** How this product compares with whichever peer was best in each round. */
function verdict(
  contestant: string,
  answers: readonly Readonly<Record<string, number>>[],
  unit: Question["unit"],
): string {
  if (!isOurs(contestant)) return "";
  const ratios = answers.flatMap((answer) => {
    const peers = Object.entries(answer).flatMap(([name, value]) => (isOurs(name) || isDefault(name) ? [] : [value]));
    if (peers.length === 0 || !(contestant in answer)) return [];
    const best = unit === "ms" ? Math.min(...peers) : Math.max(...peers);
    return [unit === "ms" ? best / answer[contestant]! : answer[contestant]! / best];
  });
  return ratios.length === 0 ? "" : `${median(ratios).toFixed(1)} times the best peer`;
}

function shown(value: number, unit: Question["unit"]): string {
  if (unit === "tasks/s") return value.toFixed(0);
  return unit === "ms" ? `${value.toFixed(2)} ms` : value.toFixed(3);
}
