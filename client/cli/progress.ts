/**
 * Progress on stderr: a live bar on a terminal, else a line every 10 s, so that a log of a long run stays short.
 * Rate and time left come from the work done so far in this run.
 */
import type { Console } from "../../common/command-line/console.ts";
import type { JobProgress } from "../maps/job-following.ts";
import { fitColumns } from "./screen.ts";

const BAR_CELLS = 24;
const REDRAW_MS = 100;
const LINE_MS = 10_000;

export interface ProgressState {
  readonly done: number;
  readonly total: number;
  /** Done before this run began: counts for the bar, not for the rate. */
  readonly before: number;
  readonly unit: string;
  readonly current?: string;
}

export interface Progress {
  update(state: ProgressState): void;
  /** Takes the bar away. */
  end(): void;
}

export function createProgress(
  console: Console,
  label: string,
  nowMs: () => number = () => performance.now(),
): Progress {
  const startMs = nowMs();
  let shownMs = console.isTerminal ? -Infinity : startMs;
  return {
    update: (state) => {
      const ms = nowMs();
      if (ms - shownMs < (console.isTerminal ? REDRAW_MS : LINE_MS)) return;
      shownMs = ms;
      const text = describe(label, state, ms - startMs);
      console.stderr(console.isTerminal ? `\r${fitColumns(text, console)}\u001B[K` : `${text}\n`);
    },
    end: () => {
      if (console.isTerminal) console.stderr("\r\u001B[K");
    },
  };
}

function describe(label: string, { done, total, before, unit, current }: ProgressState, elapsedMs: number): string {
  const share = total === 0 ? 1 : done / total;
  const perSecond = ((done - before) / Math.max(elapsedMs, 1)) * 1000;
  const left = perSecond > 0 ? `${formatSeconds((total - done) / perSecond)} left` : "";
  const rate = `${formatCount(perSecond)} ${unit}/s`;
  return [`${label} ${bar(share)} ${Math.floor(share * 100)} %`, `${done}/${total} ${unit}`, rate, left, current ?? ""]
    .filter((part) => part !== "")
    .join("  ");
}

/** A bar of fixed width. `share` from 0 to 1. */
export function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
}

/** Three significant digits at most. */
export function formatCount(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A job's progress, counted in series. */
export function jobState({
  seriesDone,
  seriesBefore,
  seriesEstimate,
  tasksDone,
  tasks,
  file,
}: JobProgress): ProgressState {
  // The estimate is exact once every file was opened.
  const total = tasksDone === tasks ? seriesDone : Math.max(seriesEstimate, seriesDone);
  return { done: seriesDone, total, before: seriesBefore, unit: "series", current: file };
}
