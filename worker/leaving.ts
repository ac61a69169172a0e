/**
 * When a worker leaves, and how: a signal asks it to, or the time of its machine is nearly up. First it takes no more work and
 * finishes what runs; where its time is short it then gives that back, too; at last it is ended.
 */
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Given } from "../common/command-line/command.ts";
import { PeError } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import { readTimeLeft, type TimeLeft } from "./time-left.ts";

/** What the supervisor says to its process. */
export type ToProcess = "drain" | "hand-back";

export interface LeavingSettings {
  readonly timeLeft: TimeLeft;
  /** From the beginning of leaving to the end of its time. */
  readonly leaveWithinMs: number;
  /** Whether that holds after a signal as well; else what runs then has all the time it takes. */
  readonly isBound: boolean;
}

export interface Leaving {
  readonly isBegun: boolean;
  readonly isAtOnce: boolean;
  /** Aborts when it begins. */
  readonly begun: AbortSignal;
  /** Tells this process from now on. @returns Ends that. */
  heed(child: ChildProcess): () => void;
  release(): void;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const LEAVE_WITHIN_S = 60;
const LEAVE_WITHIN_S_MAX = 86_400;
/** Of the time to leave, what running tasks have to finish; the rest is for values that others must fetch. */
const FINISHING_SHARE = 0.5;
/** The end may be put off or, by a person, drawn near: asked again so often. */
const ASK_EVERY_MS = 3_600_000;
/** Slurm counts whole seconds. */
const ASK_AGAIN_MS = 500;

/** @throws {PeError} `PE_PARAMETER` naming the option. */
export function readLeaving(given: Given): LeavingSettings {
  const seconds = given.parsed("leave-within", readSeconds);
  return {
    timeLeft: readTimeLeft(given.text("until")),
    leaveWithinMs: (seconds ?? LEAVE_WITHIN_S) * 1000,
    isBound: seconds !== undefined,
  };
}

function readSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (seconds >= 1 && seconds <= LEAVE_WITHIN_S_MAX) return seconds;
  const expected = `expected seconds from 1 to ${LEAVE_WITHIN_S_MAX}, such as ${LEAVE_WITHIN_S}`;
  throw new PeError("PE_PARAMETER", `Cannot read --leave-within ${text}: ${expected}`);
}

/** Watches signals of this process, and the clock. */
export function watchLeaving(settings: LeavingSettings, log: (line: LogLine) => void): Leaving {
  const begun = new AbortController();
  const over = new AbortController();
  let said: ToProcess | undefined;
  let signals = 0;
  let child: ChildProcess | undefined;
  const pass = (): void => {
    if (signals > 1) child?.kill("SIGKILL");
    else if (said !== undefined && child?.connected === true) child.send(said, () => undefined);
  };
  const tell = (level: LogLine["level"], text: string): void => log({ level, text });
  const leave = (): void => {
    said ??= "drain";
    begun.abort();
  };
  const handBack = async (withinMs: number): Promise<void> => {
    await sleep(withinMs * FINISHING_SHARE, undefined, { signal: over.signal, ref: false });
    if (said === "hand-back") return;
    tell("info", "its time is nearly up: what still runs is given back");
    said = "hand-back";
    pass();
  };
  const handBackSoon = (withinMs: number): void => void handBack(withinMs).catch(() => undefined);
  const leaveInTime = async (): Promise<void> => {
    const leftMs = await untilLeaving(settings, tell, over.signal);
    if (leftMs === undefined) return;
    const within = `${Math.max(0, Math.round(leftMs / 1000))} s`;
    tell("info", `its time is up in ${within}: the worker finishes what it can, gives the rest back, and leaves`);
    leave();
    pass();
    handBackSoon(Math.max(0, leftMs));
  };
  const onSignal = (name: string): void => {
    const finishes = "finishes what runs, gives the rest back, and leaves; again to end at once";
    tell("info", `${name}: the worker ${++signals > 1 ? "ends at once" : finishes}`);
    if (signals === 1 && settings.isBound) handBackSoon(settings.leaveWithinMs);
    leave();
    pass();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  void leaveInTime();
  return {
    get isBegun() {
      return begun.signal.aborted;
    },
    get isAtOnce() {
      return signals > 1;
    },
    begun: begun.signal,
    heed(heeding) {
      child = heeding;
      pass();
      return () => void (child = undefined);
    },
    release: () => {
      over.abort();
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/** Resolves when there is just the time to leave, with what is left of it; undefined when that is not waited for any more. */
async function untilLeaving(
  { timeLeft, leaveWithinMs, isBound }: LeavingSettings,
  tell: (level: LogLine["level"], text: string) => void,
  signal: AbortSignal,
): Promise<number | undefined> {
  let endMs = Infinity;
  let withinMs: number | undefined;
  while (!signal.aborted) {
    try {
      endMs = performance.now() + (await timeLeft());
    } catch (error) {
      const reason = error instanceof Error ? error.message.trim() : String(error);
      const next =
        endMs === Infinity ? "asked again in an hour; or give --until" : "counting from what was said before";
      tell("warn", `Cannot tell when this worker's time is up: ${reason}; ${next}`);
    }
    const leftMs = endMs - performance.now();
    // Of a time that is short altogether, half is for work.
    withinMs ??= isBound || leftMs > 2 * leaveWithinMs ? leaveWithinMs : leftMs / 2;
    if (leftMs <= withinMs) return leftMs;
    const waitMs = Math.min(Math.max(leftMs - withinMs, ASK_AGAIN_MS), ASK_EVERY_MS);
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return undefined;
}
