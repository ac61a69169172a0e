/**
 * When a snapshot is taken: its records say what is durable, so nothing may be written that is not.
 *
 * Under load something always is. So events wait, for as long as the commit under way takes, until all is durable; then the
 * records are made at once, and encoded and written while other things go on.
 */
import { asPeError } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import type { SchedulerCore } from "./core/core.ts";
import type { SchedulerEvent } from "./core/events.ts";
import type { Keeping } from "./keeping.ts";

/** Events wait no longer than this for a slow disk. */
const HOLD_MS_MAX = 500;
/** Until the next attempt when the disk was too slow. */
const TRY_AGAIN_MS = 10_000;
/** At the end, when it makes the next start this much quicker. */
const LAST_AFTER_BYTES = 4 << 20;

const NONE: readonly SchedulerEvent[] = [];

export class SnapshotTurn {
  readonly #core: SchedulerCore;
  readonly #keeping: Keeping;
  readonly #log: (line: LogLine) => void;
  #held: SchedulerEvent[] | undefined;
  #heldSinceMs = 0;
  #notBeforeMs = 0;
  #writing: Promise<void> | undefined;

  constructor(core: SchedulerCore, keeping: Keeping, log: (line: LogLine) => void) {
    this.#core = core;
    this.#keeping = keeping;
    this.#log = log;
  }

  get isPreparing(): boolean {
    return this.#held !== undefined;
  }

  /** From now on events wait; false when it was tried in vain not long ago. */
  prepare(): boolean {
    if (this.isPreparing || performance.now() < this.#notBeforeMs) return false;
    this.#held = [];
    this.#heldSinceMs = performance.now();
    return true;
  }

  /** Takes an event that has to wait; false when none has to. */
  hold(event: SchedulerEvent): boolean {
    this.#held?.push(event);
    return this.isPreparing;
  }

  /** Takes the snapshot when all is durable. @returns The events that have waited, once they need not any more. */
  tryToTake(): readonly SchedulerEvent[] {
    const { durability } = this.#core.state;
    const nowMs = performance.now();
    if (durability.durable === durability.written) {
      this.#writing = this.#take();
      return this.giveUp();
    }
    if (nowMs - this.#heldSinceMs < HOLD_MS_MAX) return NONE;
    this.#notBeforeMs = nowMs + TRY_AGAIN_MS;
    return this.giveUp();
  }

  /** Nothing waits any more. @returns The events that have waited. */
  giveUp(): readonly SchedulerEvent[] {
    const held = this.#held ?? NONE;
    this.#held = undefined;
    return held;
  }

  /** When the scheduler stops, so that the next life starts soon. */
  async takeLast(): Promise<void> {
    await this.#writing;
    const { durability } = this.#core.state;
    const health = this.#keeping.health;
    if (health?.status !== "open" || health.bytesSinceSnapshot < LAST_AFTER_BYTES) return;
    if (durability.durable === durability.written) await this.#take();
  }

  async #take(): Promise<void> {
    const startMs = performance.now();
    try {
      const records = [...this.#core.snapshot()];
      const stoodMs = Math.round(performance.now() - startMs);
      await this.#keeping.snapshot(records);
      const tookMs = Math.round(performance.now() - startMs);
      const text = `snapshot of ${records.length} records in ${tookMs} ms, of which ${stoodMs} ms stood still`;
      this.#log({ level: "info", text });
    } catch (error) {
      const { message } = asPeError(error, "PE_UNEXPECTED", "Cannot take a snapshot");
      this.#log({ level: "warn", text: `${message}; the journal goes on without` });
    }
  }
}
