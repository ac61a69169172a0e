/** Ending a process that goes on by itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { PeError } from "../../common/errors.ts";
import { errnoOf } from "../errno.ts";
import { isHeld, pidIn } from "./pid-file.ts";

const LOOK_MS = 50;
/** From the second signal, which asks a process to end at once, to the one that it cannot refuse. */
const LAST_MS = 5000;

/**
 * Asks the process of a pid file to leave and waits until it has. After `patienceMs` it is told to end at once, and soon
 * after that it is killed.
 *
 * @returns Its number; undefined when there was none.
 * @throws {PeError} `PE_OUTPUT_UNWRITABLE` when it belongs to somebody else.
 */
export async function stopDetached(pidFile: string, patienceMs: number): Promise<number | undefined> {
  const pid = await pidIn(pidFile);
  if (pid === undefined) return undefined;
  for (const [signal, waitMs] of [
    ["SIGTERM", patienceMs],
    ["SIGTERM", LAST_MS],
    ["SIGKILL", Infinity],
  ] as const) {
    send(pid, signal, pidFile);
    const lastMs = performance.now() + waitMs;
    while (performance.now() < lastMs) {
      if (!(await isHeld(pidFile))) return pid;
      // The next one has begun already.
      if (((await pidIn(pidFile)) ?? pid) !== pid) return pid;
      await sleep(LOOK_MS);
    }
  }
  return pid;
}

function send(pid: number, signal: NodeJS.Signals, pidFile: string): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return;
    throw new PeError(
      "PE_OUTPUT_UNWRITABLE",
      `Cannot stop process ${pid} of "${pidFile}": it belongs to somebody else; stop it as its user`,
      { cause: error },
    );
  }
}
