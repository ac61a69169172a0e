/**
 * Fetches values: straight from one of their holders, else through the scheduler.
 *
 * Holders are asked in turn, beginning with any of them; a piece that came damaged is no reason to leave a holder, but a
 * second one is.
 */
import { PeError } from "../../common/errors.ts";
import type { ServingAt, ValueName, ValueSource } from "../held-values.ts";
import { FetchFailed } from "./fetch-failed.ts";
import { HolderLinks, type LinkLimits } from "./holder-links.ts";
import { DamagedPiece } from "./pieces.ts";
import { createAgents, fetchRelayed, type Agents, type RelayAccess } from "./relayed.ts";

export { FetchFailed };

export interface FetchRequest {
  readonly name: ValueName;
  /** That the value has. */
  readonly bytes: number;
  /** Workers that hold it. */
  readonly sources: readonly ValueSource[];
  /** Opens their doors for values of this job (`valueToken`); absent: only the relay is asked. */
  readonly token?: string | undefined;
  /** The scheduler; absent: only the holders are asked. */
  readonly relay?: RelayAccess | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Fetcher {
  /**
   * @returns Memory of its own, checked piece by piece.
   * @throws {FetchFailed} naming the workers that do not have it; the reason of `signal`.
   */
  fetchValue(request: FetchRequest): Promise<SharedArrayBuffer>;
  /** What is under way fails; connections end. */
  close(): void;
}

/**
 * @example
 * const fetcher = createFetcher();
 * const blob = await fetcher.fetchValue({ name: { id: "job", task: 3 }, bytes, sources, token });
 */
export function createFetcher(limits: Partial<LinkLimits> = {}): Fetcher {
  const links = new HolderLinks(limits);
  const agents = createAgents();
  const ending = new AbortController();
  return {
    fetchValue: async (request) => {
      const { signal } = request;
      const either = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
      return await new Fetching(request, either, links, agents).run();
    },
    close: () => {
      ending.abort(new PeError("PE_CLOSED", "Cannot fetch a value: it was closed"));
      links.close();
      agents.close();
    },
  };
}

/** One value. */
class Fetching {
  readonly #request: FetchRequest;
  readonly #signal: AbortSignal;
  readonly #links: HolderLinks;
  readonly #agents: Agents;
  readonly #gone = new Set<string>();
  readonly #reasons: string[] = [];

  constructor(request: FetchRequest, signal: AbortSignal, links: HolderLinks, agents: Agents) {
    this.#request = request;
    this.#signal = signal;
    this.#links = links;
    this.#agents = agents;
  }

  async run(): Promise<SharedArrayBuffer> {
    const { name, sources, relay } = this.#request;
    const found = (await this.#fromHolders()) ?? (await this.#fromRelay());
    if (found !== undefined) return found;
    if (relay === undefined && sources.length > 0 && this.#reasons.length === 0)
      this.#reasons.push("none of its holders can be reached from here");
    throw new FetchFailed(name, [...this.#gone], this.#reasons);
  }

  async #fromHolders(): Promise<SharedArrayBuffer | undefined> {
    const { token, relay } = this.#request;
    if (token === undefined) return undefined;
    for (const { worker, at } of this.#inTurn()) {
      // Where there is another way, nobody waits again for a door that did not answer.
      if (relay !== undefined && this.#links.isAvoided(at)) {
        this.#reasons.push(`${worker} could not be reached a moment ago`);
        continue;
      }
      const found = (await this.#from(worker, at, token)) ?? (await this.#from(worker, at, token));
      if (found instanceof SharedArrayBuffer) return found;
    }
    return undefined;
  }

  /** Sources that serve somewhere: those that may be reached first, beginning with any. */
  #inTurn(): { readonly worker: string; readonly at: ServingAt }[] {
    const serving = this.#request.sources.flatMap(({ worker, at }) => (at === undefined ? [] : [{ worker, at }]));
    const first = Math.floor(Math.random() * serving.length);
    const turned = [...serving.slice(first), ...serving.slice(0, first)];
    return turned.toSorted((a, b) => Number(this.#links.isAvoided(a.at)) - Number(this.#links.isAvoided(b.at)));
  }

  /** "failed" when there is no use in asking again; undefined when there is. */
  async #from(worker: string, at: ServingAt, token: string): Promise<SharedArrayBuffer | "failed" | undefined> {
    const { name, bytes } = this.#request;
    try {
      const found = await this.#links.fetch(at, { name, bytes, token }, this.#signal);
      if (found !== "gone") return found;
      this.#gone.add(worker);
      this.#reasons.push(`${worker} does not have it`);
      return "failed";
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#reasons.push(`${worker}: ${(error as Error).message}`);
      return error instanceof DamagedPiece ? undefined : "failed";
    }
  }

  async #fromRelay(): Promise<SharedArrayBuffer | undefined> {
    const { name, bytes, sources, relay } = this.#request;
    const nobodyHasIt = sources.length > 0 && sources.every(({ worker }) => this.#gone.has(worker));
    if (relay === undefined || nobodyHasIt) return undefined;
    for (let attempt = 0; attempt < 2; attempt++)
      try {
        const found = await fetchRelayed({ name, bytes, relay, signal: this.#signal, agents: this.#agents });
        if (found instanceof SharedArrayBuffer) return found;
        for (const worker of found.gone) this.#gone.add(worker);
        this.#reasons.push(`through the scheduler: ${found.because}`);
        return undefined;
      } catch (error) {
        this.#signal.throwIfAborted();
        this.#reasons.push(`through the scheduler: ${(error as Error).message}`);
        if (!(error instanceof DamagedPiece)) return undefined;
      }
    return undefined;
  }
}
