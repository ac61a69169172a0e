/**
 * Keeps a worker alive: starts its process, starts another one when it dies, tells why, tells it when to leave. It does nothing
 * else, so that nothing a task does can end it.
 */
import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { ERROR_CODES, EXIT, PeError, type ErrorCode } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import { fitting } from "../protocol/fitting.ts";
import { LAST_LINE_LENGTH_MAX, LAST_LINES_MAX, type LastDeath } from "../protocol/worker-link.ts";
import { workerEnvironment } from "./environment.ts";
import { watchLeaving, type Leaving, type LeavingSettings } from "./leaving.ts";
import type { WorkerSettings } from "./settings.ts";
import type { WorkerEnd } from "./worker.ts";

const RESTART_FIRST_MS = 100;
const RESTART_MOST_MS = 10_000;
/** A process that lived so long did not die of how it was started. */
const STEADY_AFTER_MS = 60_000;
const LAST_WORDS_MS = 500;
const HOW_LENGTH_MAX = 64;
/** Of stderr, in which the last lines are looked for. */
const TAIL_LENGTH = 4000;

export interface SupervisorOutput {
  readonly log: (line: LogLine) => void;
  readonly stderr: (text: string) => void;
}

/** What a worker's process is started with. */
export interface ProcessSettings extends WorkerSettings {
  /** Of this process alone. */
  readonly instance: string;
  readonly lastDeath?: LastDeath;
}

/** What a worker's process says to its supervisor. */
export type FromProcess = { readonly ended: WorkerEnd } | { readonly rssBytes: number };

/**
 * Resolves when the worker has left.
 *
 * @returns The exit status.
 * @throws {PeError} Why the scheduler refuses the worker, or the worker cannot start.
 */
export async function supervise(
  settings: WorkerSettings,
  leave: LeavingSettings,
  output: SupervisorOutput,
): Promise<number> {
  const leaving = watchLeaving(leave, output.log);
  try {
    let death: Death | undefined;
    for (let waitMs = RESTART_FIRST_MS; ;) {
      const startMs = performance.now();
      const started = { ...settings, instance: randomUUID(), ...(death?.last && { lastDeath: death.last }) };
      death = await runProcess(started, output, leaving);
      const status = statusOf(death.end);
      if (status !== undefined) return status;
      if (leaving.isBegun) return leaving.isAtOnce ? EXIT.interrupted : EXIT.ok;
      if (performance.now() - startMs > STEADY_AFTER_MS) waitMs = RESTART_FIRST_MS;
      output.log({ level: "error", text: `${death.text}; another process starts in ${waitMs / 1000} s` });
      await sleep(waitMs, undefined, { signal: leaving.begun }).catch(() => undefined);
      if (leaving.isBegun) return EXIT.ok;
      waitMs = Math.min(waitMs * 2, RESTART_MOST_MS);
    }
  } finally {
    leaving.release();
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
  /** For the scheduler, where something ended it. */
  readonly last?: LastDeath;
}

async function runProcess(settings: ProcessSettings, { stderr }: SupervisorOutput, leaving: Leaving): Promise<Death> {
  const child = fork(new URL("./process.js", import.meta.url), [JSON.stringify(settings)], {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: workerEnvironment(),
  });
  let end: WorkerEnd | undefined;
  let rssBytes = 0;
  let tail = "";
  child.on("message", (said: FromProcess) => {
    if ("rssBytes" in said) rssBytes = said.rssBytes;
    else {
      end = said.ended;
      if (child.connected) child.disconnect();
    }
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr(text);
    tail = (tail + text).slice(-TAIL_LENGTH);
  });
  const saidAll = once(child.stderr!, "close").catch(() => undefined);
  const unheed = leaving.heed(child);
  try {
    const how = await exitOf(child);
    // Its last words may still be on their way; a process that a task started could keep the stream open for ever.
    await Promise.race([saidAll, sleep(LAST_WORDS_MS)]);
    if (end !== undefined) return { end, text: `the worker's process ended: ${"message" in end ? end.message : how}` };
    const lines = lastLines(tail);
    const text = `the worker's process died: ${how}`;
    return {
      end,
      text: lines.length === 0 ? text : `${text}; its last lines: ${lines.join(" | ")}`,
      last: { instance: settings.instance, how: fitting(how, HOW_LENGTH_MAX), rssBytes, lines },
    };
  } finally {
    unheed();
  }
}

/** `signal SIGKILL`, `exit status 134`, or why it cannot start. */
async function exitOf(child: ChildProcess): Promise<string> {
  return await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`it cannot start: ${error.message}`));
    child.once("exit", (status, signal) => resolve(signal === null ? `exit status ${status}` : `signal ${signal}`));
  });
}

/** As a message takes them: no colours, nothing that moves a cursor. */
function lastLines(tail: string): string[] {
  return tail
    .split("\n")
    .map((line) =>
      fitting(
        stripVTControlCharacters(line)
          .replaceAll(/\p{Cc}/gu, " ")
          .trim(),
        LAST_LINE_LENGTH_MAX,
      ),
    )
    .filter((line) => line !== "")
    .slice(-LAST_LINES_MAX);
}
