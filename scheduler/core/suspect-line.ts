/**
 * Suspected tasks that wait for a worker to run alone on: those of state `queued` under which something died. In a line for
 * each shape of requirements, oldest suspicion first.
 */
export class SuspectLine {
  readonly #lines = new Map<string, Set<number>>();

  /** `key`: a lease key. */
  add(shape: string, key: number): void {
    const line = this.#lines.get(shape);
    if (line === undefined) this.#lines.set(shape, new Set([key]));
    else line.add(key);
  }

  delete(shape: string, key: number): void {
    const line = this.#lines.get(shape);
    if (line?.delete(key) === true && line.size === 0) this.#lines.delete(shape);
  }

  has(shape: string, key: number): boolean {
    return this.#lines.get(shape)?.has(key) === true;
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  get size(): number {
    let size = 0;
    for (const line of this.#lines.values()) size += line.size;
    return size;
  }

  /** The first of each shape. */
  firsts(): number[] {
    const firsts: number[] = [];
    for (const [first] of this.#lines.values()) firsts.push(first!);
    return firsts;
  }
}
