/**
 * Connections as TCP makes them: what one side says arrives in order or not at all; a silent network looks like a slow one;
 * the end of a connection is a message like any other, and may be lost.
 */
import type { Clock } from "./clock.ts";

/** One direction of a connection. */
class Direction<Message> {
  deliver: ((messages: readonly Message[]) => void) | undefined;
  onClose: (() => void) | undefined;
  /** Nothing gets through; what is sent waits. */
  isBlocked = false;
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #splits: boolean;
  #lastMs = 0;
  #stuck: (() => void)[] = [];
  #isCut = false;

  constructor(clock: Clock, delayMs: () => number, splits: boolean) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#splits = splits;
  }

  send(messages: readonly Message[]): void {
    if (!this.#splits) return this.#carry(() => this.deliver?.(messages));
    for (const message of messages) this.#carry(() => this.deliver?.([message]));
  }

  close(): void {
    this.#carry(() => this.onClose?.());
  }

  /** What is under way is lost, and whatever is sent later. */
  cut(): void {
    this.#isCut = true;
    this.#stuck = [];
  }

  unblock(): void {
    this.isBlocked = false;
    const stuck = this.#stuck;
    this.#stuck = [];
    for (const action of stuck) action();
  }

  #carry(action: () => void): void {
    if (this.#isCut) return;
    this.#lastMs = Math.max(this.#lastMs, this.#clock.nowMs + this.#delayMs());
    this.#clock.at(this.#lastMs, () => {
      if (this.#isCut) return;
      if (this.isBlocked) this.#stuck.push(action);
      else action();
    });
  }
}

/** A connection from somebody to the scheduler. */
export class Connection<Up, Down> {
  readonly up: Direction<Up>;
  readonly down: Direction<Down>;
  readonly link: number;
  #nearOpen = true;
  #farOpen = true;

  constructor(link: number, clock: Clock, delayMs: () => number, splits: boolean) {
    this.link = link;
    this.up = new Direction(clock, delayMs, splits);
    this.down = new Direction(clock, delayMs, splits);
  }

  /** The side that connected ends it. */
  closeNear(): void {
    if (!this.#nearOpen) return;
    this.#nearOpen = false;
    this.down.cut();
    if (this.#farOpen) this.up.close();
  }

  /** The scheduler ends it. */
  closeFar(): void {
    if (!this.#farOpen) return;
    this.#farOpen = false;
    this.up.cut();
    if (this.#nearOpen) this.down.close();
  }

  /** The way is gone: whatever is said on it is lost, and neither side hears that it ended. */
  silence(): void {
    this.up.cut();
    this.down.cut();
  }

  /** The network resets it, what was under way is lost. The scheduler's side may hear of it or not. */
  reset(clock: Clock, delayMs: number, isHeardFar: boolean): void {
    const [near, far] = [this.down.onClose, this.up.onClose];
    this.up.cut();
    this.down.cut();
    clock.after(delayMs * 0.5, () => {
      if (this.#nearOpen) near?.();
    });
    if (!isHeardFar) return;
    clock.after(delayMs, () => {
      if (this.#farOpen) far?.();
    });
  }
}
