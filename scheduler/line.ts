/** A room for so many at once, and a line before its door that is not longer than so. */

export interface LineLimits {
  /** Inside. */
  readonly atOnceMax: number;
  /** In the line. */
  readonly waitingMax: number;
  /** In the line. */
  readonly waitMs: number;
}

export class Line {
  readonly #limits: LineLimits;
  #inside = 0;
  /** Told whether they are in. */
  readonly #waiting: ((isIn: boolean) => void)[] = [];

  constructor(limits: LineLimits) {
    this.#limits = limits;
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether one is in; otherwise the line is too long, or took too long, or `signal` was aborted. */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#inside < this.#limits.atOnceMax) {
      this.#inside++;
      return true;
    }
    if (this.#waiting.length >= this.#limits.waitingMax) return false;
    return await new Promise<boolean>((resolve) => {
      const settle = (isIn: boolean): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        resolve(isIn);
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        settle(false);
      };
      const timer = setTimeout(giveUp, this.#limits.waitMs);
      signal.addEventListener("abort", giveUp);
      this.#waiting.push(settle);
    });
  }

  /** Whoever is first in the line takes the place over. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next(true);
  }
}
