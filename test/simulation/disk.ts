/**
 * The journal's disk with group commit: one fsync at a time, all that came meanwhile goes with the next. A crash keeps what
 * is durable and, by chance, some of what was on its way; never a record without those before it.
 */
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { Clock } from "./clock.ts";

export class Disk {
  /** Every record that was ever written and not lost; number `i + 1` is at place `i`. */
  readonly records: JournalRecord[] = [];
  /** Number of durable records. */
  durable = 0;
  /** A snapshot: restores what the first `upTo` records do. */
  snapshot: { readonly records: readonly JournalRecord[]; readonly upTo: number } | undefined;
  readonly #clock: Clock;
  readonly #fsyncMs: () => number;
  #isSyncing = false;
  #life = 0;

  constructor(clock: Clock, fsyncMs: () => number) {
    this.#clock = clock;
    this.#fsyncMs = fsyncMs;
  }

  append(record: JournalRecord): void {
    this.records.push(record);
  }

  /** Begins an fsync if there is something to write and none is under way. */
  flush(onDurable: (sequence: number) => void): void {
    if (this.#isSyncing || this.records.length === this.durable) return;
    this.#isSyncing = true;
    const upTo = this.records.length;
    const life = this.#life;
    this.#clock.after(this.#fsyncMs(), () => {
      if (life !== this.#life) return;
      this.#isSyncing = false;
      onDurable(upTo);
      this.flush(onDurable);
    });
  }

  /**
   * @param kept Share of what is not durable that survives.
   * @returns What does not.
   */
  crash(kept: number): JournalRecord[] {
    this.#life++;
    this.#isSyncing = false;
    const pending = this.records.length - this.durable;
    const lost = this.records.splice(this.durable + Math.floor(pending * kept));
    this.durable = this.records.length;
    return lost;
  }

  /** Somebody deleted the journal. */
  lose(): void {
    this.#life++;
    this.#isSyncing = false;
    this.records.length = 0;
    this.durable = 0;
    this.snapshot = undefined;
  }

  /** What a restart reads. */
  recovered(): JournalRecord[] {
    if (this.snapshot === undefined) return [...this.records];
    return [...this.snapshot.records, ...this.records.slice(this.snapshot.upTo)];
  }
}
