/**
 * Whose piece is sent next. Of all that wait the one that came first gets three pieces of four, the others share the fourth
 * in turn: whoever fetches is not slowed by half when others come, and nobody waits for the end of a large value.
 *
 * Between two pieces the event loop goes round once: a stream never keeps a worker from its heartbeat.
 */

interface Waiting {
  /** Lower came first. */
  readonly number: number;
  readonly go: () => void;
}

/** Pieces that the first one gets for each that another gets. */
const FIRST_PIECES = 3;

export class Turns {
  readonly #waiting: Waiting[] = [];
  /** That the first one got since another did. */
  #ofFirst = 0;
  #isTurning = false;
  #count = 0;

  /** A number for one who will take turns. */
  enter(): number {
    return this.#count++;
  }

  /** Resolves when the one of this number may send a piece. */
  async next(number: number): Promise<void> {
    await new Promise<void>((go) => {
      this.#waiting.push({ number, go });
      this.#turnSoon();
    });
  }

  #turnSoon(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      const [chosen] = this.#waiting.splice(this.#choose(), 1);
      chosen?.go();
      if (this.#waiting.length > 0) this.#turnSoon();
    });
  }

  #choose(): number {
    const waiting = this.#waiting;
    let first = 0;
    for (let place = 1; place < waiting.length; place++)
      if (waiting[place]!.number < waiting[first]!.number) first = place;
    if (waiting.length === 1 || this.#ofFirst < FIRST_PIECES) {
      this.#ofFirst = waiting.length === 1 ? 0 : this.#ofFirst + 1;
      return first;
    }
    this.#ofFirst = 0;
    // In the order in which they asked.
    return first === 0 ? 1 : 0;
  }
}
