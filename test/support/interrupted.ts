/** Runs that are stopped on their way, and what they leave. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import { Random } from "../../common/random.ts";
import { startClient, type Outcome } from "./client.ts";

const POLL_MS = 5;

/** Names of the parts in a work folder; none where there is no such folder. */
export async function storedParts(work: string): Promise<string[]> {
  const names = await readdir(join(work, "parts")).catch(() => []);
  return names.filter((name) => /^pe-[0-9a-f]+$/.test(name));
}

/** Files of the journal of the only job in a work folder. */
export async function journalFiles(work: string): Promise<string[]> {
  const names = await readdir(join(work, "journal"), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/**
 * Starts a run, sends `signal` as soon as `tasks` of its tasks are finished, and waits for its end. On a machine so busy
 * that the run is over before the signal comes, the outcome has status 0.
 */
export async function stopAfterTasks(
  args: readonly string[],
  output: string,
  tasks: number,
  signal: NodeJS.Signals,
): Promise<Outcome> {
  const { child, outcome } = startClient(args);
  while (child.exitCode === null && (await storedParts(`${output}.work`)).length < tasks) await wait(POLL_MS);
  child.kill(signal);
  return await outcome;
}

/**
 * Runs `args` again and again, killed without warning after a random time, until one run gets to its end. The times
 * grow, so that an end comes on any machine.
 *
 * @returns How often it was killed, and the run that ended.
 */
export async function killUntilDone(
  args: readonly string[],
  seed: number,
  firstMsMax: number,
): Promise<{ kills: number; last: Outcome }> {
  const random = new Random(seed);
  const times: number[] = [];
  for (let kills = 0; ; kills++) {
    const afterMs = Math.round(random.uniform() * firstMsMax * (1 + kills / 4));
    times.push(afterMs);
    const { child, outcome } = startClient(args);
    const timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
    const last = await outcome;
    clearTimeout(timer);
    if (last.signal === "SIGKILL") continue;
    const history = `seed ${seed}, killed after ${times.slice(0, -1).join(", ")} ms`;
    console.log(history);
    expect(last.status, `${history}: ${last.stderr}`).toBe(0);
    return { kills, last };
  }
}
