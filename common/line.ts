/** A room for so many at once, and a line before its door. */

export interface LineLimits {
  /** Inside. */
  readonly atOnceMax: number;
  /** In the line; any number by default. */
  readonly waitingMax?: number;
  /** In the line; for ever by default. */
  readonly waitMs?: number;
}

export class Line {
  readonly #limits: Required<LineLimits>;
  #inside = 0;
  /** Told whether they are in. */
  readonly #waiting: ((isIn: boolean) => void)[] = [];

  constructor(limits: LineLimits) {
    this.#limits = { waitingMax: Infinity, waitMs: Infinity, ...limits };
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether one is in; otherwise the line is too long, or took too long, or `signal` was aborted. */
  async enter(signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted === true) return false;
    if (this.#inside < this.#limits.atOnceMax) {
      this.#inside++;
      return true;
    }
    if (this.#waiting.length >= this.#limits.waitingMax) return false;
    return await new Promise<boolean>((resolve) => {
      const settle = (isIn: boolean): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        resolve(isIn);
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        settle(false);
      };
      const timer = this.#limits.waitMs === Infinity ? undefined : setTimeout(giveUp, this.#limits.waitMs);
      signal?.addEventListener("abort", giveUp);
      this.#waiting.push(settle);
    });
  }

  /**
   * Acts inside. For a line that has no other limits.
   *
   * @throws {unknown} What `act` throws; the reason of `signal`, when it was aborted before.
   */
  async through<Result>(act: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    if (!(await this.enter(signal))) throw signal?.reason;
    try {
      signal?.throwIfAborted();
      return await act();
    } finally {
      this.leave();
    }
  }

  /** Whoever is first in the line takes the place over. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next(true);
  }
}
