/** How long this machine is the worker's: as somebody says, or as Slurm does of the job that the worker runs in. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PeError } from "../common/errors.ts";

/**
 * Milliseconds that are left; Infinity where there is no end. Asked again, since an end may be put off.
 *
 * @throws {Error} When nobody can tell at the moment.
 */
export type TimeLeft = () => Promise<number>;

const ASKING_MS_MAX = 20_000;
const UNITS_MS = [1000, 60_000, 3_600_000] as const;
const DAY_MS = 86_400_000;

/**
 * @param until `never`, a time (ISO 8601) or Unix seconds; absent: the end of the Slurm job that this is, if it is one.
 * @throws {PeError} `PE_PARAMETER`
 */
export function readTimeLeft(until: string | undefined, environment: NodeJS.ProcessEnv = process.env): TimeLeft {
  if (until === undefined && environment.SLURM_JOB_ID !== undefined) return slurmTimeLeft(environment);
  if (until === undefined || until === "never") return async () => await Promise.resolve(Infinity);
  const endMs = /^\d+$/.test(until) ? Number(until) * 1000 : Date.parse(until);
  if (!Number.isFinite(endMs))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read --until ${until}: expected a time such as 2026-01-31T18:00:00Z, Unix seconds, or never`,
    );
  return async () => await Promise.resolve(endMs - Date.now());
}

/**
 * As `squeue` says: it counts from its own clock, and knows of a limit that was changed. Newer versions of Slurm tell a job its
 * end, which counts where there is no `squeue` on the nodes.
 */
function slurmTimeLeft({ SLURM_JOB_END_TIME: endS = "", ...environment }: NodeJS.ProcessEnv): TimeLeft {
  const { SLURM_JOB_ID: job, SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task } = environment;
  // The number of one of an array may be that of the array, and then means all of them.
  const id = array === undefined || task === undefined ? job : `${array}_${task}`;
  const args = ["--noheader", `--jobs=${id}`, "--format=%L"];
  return async () => {
    try {
      const { stdout } = await promisify(execFile)("squeue", args, { timeout: ASKING_MS_MAX });
      return parseSlurmTime(stdout.trim());
    } catch (error) {
      if (!/^[1-9]\d*$/.test(endS)) throw error;
      return Number(endS) * 1000 - Date.now();
    }
  };
}

/**
 * `4:59`, `3:59:59`, `1-00:00:00`, `UNLIMITED`; milliseconds.
 *
 * @throws {Error} When it is none of these.
 */
export function parseSlurmTime(text: string): number {
  if (text === "UNLIMITED") return Infinity;
  const [, days = "0", clock] = /^(?:(\d+)-)?(\d+(?::\d\d){0,2})$/.exec(text) ?? [];
  if (clock === undefined) throw new Error(`squeue says "${text}" of the time that is left`);
  const parts = clock.split(":").toReversed();
  return Number(days) * DAY_MS + parts.reduce((sum, part, place) => sum + Number(part) * UNITS_MS[place]!, 0);
}
