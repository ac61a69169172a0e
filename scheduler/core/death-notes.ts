/**
 * What is known of the deaths under suspected tasks, for the words of a verdict. For people only: it is not journaled, and
 * bounded as stories are.
 */
import type { LastDeath } from "../../protocol/worker-link.ts";

/** One hand-out under which a thread or a worker died. */
export interface DeathNote {
  readonly attempt: number;
  /** What was seen of it at once, such as `worker "a" was gone while it held the task`. */
  readonly seen: string;
  /** Process that is gone; absent where a worker told of its thread. */
  readonly instance?: string;
}

/** Tasks with notes: of more than these nobody reads. */
const TASKS_MAX = 4096;
/** Processes that are gone and of which more was told. */
const ENDS_MAX = 4096;

export class DeathNotes {
  /** By lease key, oldest first. */
  readonly #notes = new Map<number, DeathNote[]>();
  /** How processes ended, as their successors told it. */
  readonly #ends = new Map<string, string>();

  add(key: number, note: DeathNote): void {
    const notes = this.#notes.get(key);
    if (notes === undefined) this.#notes.set(key, [note]);
    else notes.push(note);
    forgetOldest(this.#notes, TASKS_MAX);
  }

  /** The process lives: no task killed it. */
  remove(key: number, instance: string): void {
    const left = this.#notes.get(key)?.filter((note) => note.instance !== instance) ?? [];
    if (left.length === 0) this.#notes.delete(key);
    else this.#notes.set(key, left);
  }

  /** The next process of a worker tells how the one before it died. */
  tell({ instance, how, rssBytes, lines }: LastDeath): void {
    const memory = rssBytes > 0 ? `, ${mebibytes(rssBytes)} of memory` : "";
    const last = lines.length > 0 ? `, last lines: ${lines.join(" | ")}` : "";
    this.#ends.set(instance, `${how}${memory}${last}`);
    forgetOldest(this.#ends, ENDS_MAX);
  }

  /** The last `count` deaths of a task, oldest first; fewer where this life of the scheduler saw fewer. */
  of(key: number, count: number): string[] {
    return (this.#notes.get(key) ?? []).slice(-count).map(({ attempt, seen, instance = "" }) => {
      const end = this.#ends.get(instance);
      return `${seen} (attempt ${attempt}${end === undefined ? "" : `: ${end}`})`;
    });
  }
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function forgetOldest(map: Map<unknown, unknown>, sizeMax: number): void {
  if (map.size > sizeMax) map.delete(map.keys().next().value);
}
