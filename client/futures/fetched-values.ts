/** Values that were fetched: once for all who ask, while somebody has them; not kept for their own sake. */
export class FetchedValues {
  readonly #fetching = new Map<number, Promise<unknown>>();
  readonly #kept = new Map<number, WeakRef<object>>();
  readonly #gone = new FinalizationRegistry<number>((place) => {
    if (this.#kept.get(place)?.deref() === undefined) this.#kept.delete(place);
  });

  /** @param fetch Called when nobody has the value and it is not on its way. */
  async get(place: number, fetch: () => Promise<unknown>): Promise<unknown> {
    const kept = this.#kept.get(place)?.deref();
    if (kept !== undefined) return kept;
    let fetching = this.#fetching.get(place);
    if (fetching === undefined) this.#fetching.set(place, (fetching = this.#fetch(place, fetch)));
    return await fetching;
  }

  async #fetch(place: number, fetch: () => Promise<unknown>): Promise<unknown> {
    try {
      const value = await fetch();
      if (typeof value === "object" && value !== null) {
        this.#kept.set(place, new WeakRef(value));
        this.#gone.register(value, place);
      }
      return value;
    } finally {
      this.#fetching.delete(place);
    }
  }
}
