/**
 * Keeps a worker alive: starts its process, starts another one when it dies, tells why, passes signals on. It does nothing
 * else, so that nothing a task does can end it.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ERROR_CODES, EXIT, PeError, type ErrorCode } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import type { WorkerSettings } from "./settings.ts";
import type { WorkerEnd } from "./worker.ts";

const RESTART_FIRST_MS = 100;
const RESTART_MOST_MS = 10_000;
/** A process that lived so long did not die of how it was started. */
const STEADY_AFTER_MS = 60_000;
/** Lines of stderr that are told with a death. */
const LAST_LINES = 5;

const LAST_WORDS_MS = 500;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

export interface SupervisorOutput {
  readonly log: (line: LogLine) => void;
  readonly stderr: (text: string) => void;
}

/** What a worker's process says to its supervisor. */
export interface FromProcess {
  readonly ended: WorkerEnd;
}

/** What the supervisor says to it. */
export type ToProcess = "drain";

/**
 * Resolves when the worker has left.
 *
 * @returns The exit status.
 * @throws {PeError} Why the scheduler refuses the worker, or the worker cannot start.
 */
export async function supervise(settings: WorkerSettings, output: SupervisorOutput): Promise<number> {
  const signals = watchSignals(output.log);
  try {
    for (let waitMs = RESTART_FIRST_MS; ;) {
      const startMs = performance.now();
      const death = await runProcess(settings, output, signals);
      const status = statusOf(death.end);
      if (status !== undefined) return status;
      if (signals.count > 0) return signals.count > 1 ? EXIT.interrupted : EXIT.ok;
      if (performance.now() - startMs > STEADY_AFTER_MS) waitMs = RESTART_FIRST_MS;
      output.log({ level: "error", text: `${death.text}; another process starts in ${waitMs / 1000} s` });
      await sleep(waitMs, undefined, { signal: signals.first }).catch(() => undefined);
      if (signals.count > 0) return EXIT.ok;
      waitMs = Math.min(waitMs * 2, RESTART_MOST_MS);
    }
  } finally {
    signals.release();
  }
}

/** Undefined when another process should go on. @throws {PeError} When none would fare better. */
function statusOf(end: WorkerEnd | undefined): number | undefined {
  if (end?.type === "left") return EXIT.ok;
  if (end?.type !== "refused") return undefined;
  const isKnown = Object.hasOwn(ERROR_CODES, end.code);
  throw new PeError(isKnown ? (end.code as ErrorCode) : "PE_CONNECTION", end.message);
}

interface Death {
  /** What it said of its end; undefined when it could not say anything. */
  readonly end: WorkerEnd | undefined;
  readonly text: string;
}

async function runProcess(
  settings: WorkerSettings,
  { stderr }: SupervisorOutput,
  signals: WatchedSignals,
): Promise<Death> {
  const child = fork(new URL("./process.js", import.meta.url), [JSON.stringify(settings)], {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let end: WorkerEnd | undefined;
  let tail = "";
  child.on("message", (message) => {
    end = (message as FromProcess).ended;
    if (child.connected) child.disconnect();
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr(text);
    tail = (tail + text).slice(-4000);
  });
  const saidAll = once(child.stderr!, "close").catch(() => undefined);
  const unheed = signals.heed(child);
  try {
    const text = await new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(`the worker's process cannot start: ${error.message}`));
      child.once("exit", (status, signal) =>
        resolve(
          end?.type === "memory"
            ? `the worker's process ended: ${end.message}`
            : `the worker's process died: ${signal === null ? `exit status ${status}` : `signal ${signal}`}`,
        ),
      );
    });
    // Its last words may still be on their way; a process that a task started could keep the stream open for ever.
    await Promise.race([saidAll, sleep(LAST_WORDS_MS)]);
    return { end, text: end === undefined ? `${text}${lastLines(tail)}` : text };
  } finally {
    unheed();
  }
}

function lastLines(tail: string): string {
  const lines = tail.split("\n").filter((line) => line.trim() !== "");
  return lines.length === 0 ? "" : `; its last lines: ${lines.slice(-LAST_LINES).join(" | ")}`;
}

interface WatchedSignals {
  readonly count: number;
  /** Aborts with the first signal. */
  readonly first: AbortSignal;
  /** Passes signals on to this process. @returns Ends that. */
  heed(child: ChildProcess): () => void;
  release(): void;
}

function watchSignals(log: (line: LogLine) => void): WatchedSignals {
  let count = 0;
  let child: ChildProcess | undefined;
  const first = new AbortController();
  const pass = (): void => {
    if (count > 1) child?.kill("SIGKILL");
    else if (count > 0 && child?.connected === true) child.send("drain" satisfies ToProcess, () => undefined);
  };
  const onSignal = (name: string): void => {
    count++;
    const what =
      count > 1 ? "ends at once" : "finishes what runs, gives the rest back, and leaves; again to end at once";
    log({ level: "info", text: `${name}: the worker ${what}` });
    pass();
    first.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    get count() {
      return count;
    },
    first: first.signal,
    heed(heeding) {
      child = heeding;
      pass();
      return () => void (child = undefined);
    },
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
