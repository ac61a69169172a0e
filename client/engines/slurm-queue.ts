/** Jobs of a Slurm, by its own programs. Only jobs of this user with the name of the cluster are ever seen or touched. */
import { execFile } from "node:child_process";
import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { counted } from "../../common/counted.ts";
import { PeError } from "../../common/errors.ts";

/** One of an array, or a job by itself. */
export interface SlurmJob {
  /** As Slurm's programs take it: `17_3`, or `17`. */
  readonly id: string;
  /** As Slurm calls it: `PENDING`, `RUNNING`, `TIMEOUT`... */
  readonly state: string;
  readonly phase: Phase;
  /** Why it waits, or how it ended: `Resources`, `TimeLimit`. */
  readonly reason: string;
  /** Where it runs; empty before that. */
  readonly nodes: string;
}

/** `ending`: its processes may still be there. */
export type Phase = "waiting" | "running" | "ending" | "over";

const PHASES: Readonly<Record<string, Phase>> = {
  PENDING: "waiting",
  CONFIGURING: "waiting",
  REQUEUED: "waiting",
  REQUEUE_FED: "waiting",
  REQUEUE_HOLD: "waiting",
  SPECIAL_EXIT: "waiting",
  RUNNING: "running",
  RESIZING: "running",
  SIGNALING: "running",
  STOPPED: "running",
  SUSPENDED: "running",
  COMPLETING: "ending",
  STAGE_OUT: "ending",
};

/** These letters of `squeue --format` mean the same in every version. */
const FORMAT = "%F|%K|%T|%r|%N";
const ANSWER_MS_MAX = 60_000;
const ANSWER_BYTES_MAX = 16 << 20;
const LOOK_MS = 1000;
/** Slurm gives a job half a minute from the signal that asks to the one that kills, where nobody has set another time. */
const KILL_MS = 90_000;

/**
 * All jobs of this name, also those that ended in the last minutes, in the order of their numbers.
 *
 * @throws {PeError} `PE_ENGINE` with the words of `squeue`.
 */
export async function jobsNamed(name: string): Promise<readonly SlurmJob[]> {
  const asked = ["--noheader", "--array", "--states=all", `--format=${FORMAT}`, ...filters(name)];
  const jobs = (await run("squeue", asked)).split("\n").filter((line) => line.includes("|"));
  return jobs.map(parseJob).toSorted((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
}

/** A line of `squeue` in our format. */
export function parseJob(line: string): SlurmJob {
  const [array = "", task = "", state = "", reason = "", nodes = ""] = line.split("|").map((cell) => cell.trim());
  const id = /^\d+$/.test(task) ? `${array}_${task}` : array;
  return { id, state, phase: PHASES[state] ?? "over", reason: reason === "None" ? "" : reason, nodes };
}

/**
 * Asks whether Slurm would take a job, before anything runs.
 *
 * @throws {PeError} `PE_ENGINE` with the words of `sbatch`, also when there is none.
 */
export async function tryJob(args: readonly string[], script: string): Promise<void> {
  await run("sbatch", ["--test-only", ...args], script);
}

/**
 * Submits a script.
 *
 * @returns Its number.
 * @throws {PeError} `PE_ENGINE` with the words of `sbatch`.
 */
export async function submitJob(name: string, args: readonly string[], script: string): Promise<string> {
  const answer = await run("sbatch", ["--parsable", `--job-name=${name}`, ...args], script);
  // With several clusters the name of the one follows: `17;cluster`.
  const [, id] = /^(\d+)(;.*)?$/m.exec(answer) ?? [];
  if (id !== undefined) return id;
  throw new PeError("PE_ENGINE", `Cannot read what sbatch answered: "${answer.trim()}"`);
}

/**
 * Ends jobs and waits until they are over: those that wait at once; the process of a job that runs is asked to leave, and ended
 * after `drainSeconds`.
 *
 * @throws {PeError} `PE_ENGINE` when some are still there.
 */
export async function endJobs(name: string, jobs: readonly SlurmJob[], drainSeconds: number): Promise<void> {
  const ids = jobs.map(({ id }) => id);
  if (ids.length === 0) return;
  // What has begun meanwhile is left alone by this one.
  let refused = await cancel(name, ["--state=PENDING"], ids);
  const left = await jobsAmong(name, ids, ["running"]);
  refused = (await cancel(name, ["--signal=TERM", "--batch"], left)) || refused;
  if (await areOver(name, ids, drainSeconds * 1000)) return;
  refused = (await cancel(name, [], await jobsAmong(name, ids, ["waiting", "running"]))) || refused;
  if (await areOver(name, ids, KILL_MS)) return;
  const still = await jobsAmong(name, ids, ["waiting", "running", "ending"]);
  const why = refused === "" ? "they do not end" : refused;
  throw new PeError(
    "PE_ENGINE",
    `Cannot end ${counted(still.length, "job")} of Slurm (${still.slice(0, 5).join(" ")}): ${why}; give the command again, or see squeue`,
  );
}

async function areOver(name: string, ids: readonly string[], withinMs: number): Promise<boolean> {
  const lastMs = performance.now() + withinMs;
  for (;;) {
    if ((await jobsAmong(name, ids, ["waiting", "running", "ending"])).length === 0) return true;
    if (performance.now() >= lastMs) return false;
    await sleep(LOOK_MS);
  }
}

async function jobsAmong(name: string, ids: readonly string[], phases: readonly Phase[]): Promise<readonly string[]> {
  const wanted = new Set(ids);
  return (await jobsNamed(name)).flatMap(({ id, phase }) => (wanted.has(id) && phases.includes(phase) ? [id] : []));
}

/** @returns What `scancel` said against it: a job may have ended meanwhile, whoever waits for that sees it. */
async function cancel(name: string, how: readonly string[], ids: readonly string[]): Promise<string> {
  if (ids.length === 0) return "";
  try {
    await run("scancel", [...how, ...filters(name), ...ids]);
    return "";
  } catch (error) {
    if (!(error instanceof PeError)) throw error;
    return error.message;
  }
}

function filters(name: string): readonly string[] {
  return [`--user=${userInfo().username}`, `--name=${name}`];
}

/**
 * Runs a program of Slurm.
 *
 * @throws {PeError} `PE_ENGINE`
 */
export async function run(program: string, args: readonly string[], input = ""): Promise<string> {
  return await new Promise((resolve, reject) => {
    const options = { timeout: ANSWER_MS_MAX, maxBuffer: ANSWER_BYTES_MAX, env: environment() };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const reason =
        error.code === "ENOENT"
          ? "there is no such program here; give this command where you give sbatch, on a login node"
          : (saidIn(stderr) || saidIn(stdout) || error.message) + (error.killed === true ? " (no answer)" : "");
      reject(new PeError("PE_ENGINE", `Cannot run ${program}: ${reason}`, { cause: error }));
    });
    // A program that refuses its arguments does not read.
    child.stdin!.on("error", () => undefined);
    child.stdin!.end(input);
  });
}

/** Of this user's shell, without what would change the form of answers and the meaning of options. */
function environment(): NodeJS.ProcessEnv {
  const changing = /^(SQUEUE_|SCANCEL_|SBATCH_(JOB_NAME|ARRAY|OUTPUT|ERROR|OPEN_MODE|WAIT|NO_REQUEUE)$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !changing.test(name)));
}

/** Without the program's name before each line. */
function saidIn(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/^(s(batch|queue|cancel|control): (error: )?|allocation failure: )/, "").trim())
    .filter((line) => line !== "")
    .join("; ");
}
