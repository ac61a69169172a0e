/** Connections to the doors of holders, kept for a while for whoever asks next; and which doors are not worth a try now. */
import { Line } from "../../common/line.ts";
import type { ServingAt } from "../held-values.ts";
import { HolderConnection, Unreachable, type Asked, type ConnectionLimits } from "./holder-connection.ts";

export interface LinkLimits extends ConnectionLimits {
  /** To one door at once; who wants more waits. */
  readonly connectionsMax: number;
  /** Without use; less than a door waits for a request. */
  readonly keptMs: number;
  /** A door that could not be reached, or fell silent, is not tried again for so long. */
  readonly avoidMs: number;
}

export const LINK_LIMITS: LinkLimits = {
  connectMs: 2000,
  silenceMs: 6000,
  connectionsMax: 2,
  keptMs: 20_000,
  avoidMs: 30_000,
};

/** Of one door. */
interface Links {
  readonly idle: { readonly connection: HolderConnection; readonly timer: NodeJS.Timeout }[];
  /** Before the connections that are in use, or being opened. */
  readonly line: Line;
}

export class HolderLinks {
  readonly #limits: LinkLimits;
  /** By address and certificate. */
  readonly #links = new Map<string, Links>();
  readonly #avoided = new Map<string, number>();
  #isClosed = false;

  constructor(limits: Partial<LinkLimits> = {}) {
    this.#limits = { ...LINK_LIMITS, ...limits };
  }

  /** Whether the door could not be reached, or fell silent, a short while ago. */
  isAvoided(at: ServingAt): boolean {
    const key = keyOf(at);
    const untilMs = this.#avoided.get(key) ?? -Infinity;
    if (performance.now() < untilMs) return true;
    this.#avoided.delete(key);
    return false;
  }

  /**
   * Fetches one value from one holder.
   *
   * @throws {Unreachable} when the door cannot be reached or falls silent; other errors when the value does not come whole.
   */
  async fetch(at: ServingAt, asked: Asked, signal?: AbortSignal): Promise<SharedArrayBuffer | "gone"> {
    const links = this.#linksTo(at);
    try {
      return await links.line.through(async () => await this.#fetch(at, links, asked, signal), signal);
    } catch (error) {
      if (error instanceof Unreachable) this.#avoided.set(keyOf(at), performance.now() + this.#limits.avoidMs);
      throw error;
    } finally {
      this.#forgetUnused(at, links);
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#isClosed = true;
    for (const { idle } of this.#links.values())
      for (const { connection, timer } of idle.splice(0)) {
        clearTimeout(timer);
        connection.destroy(new Error("the connection was closed"));
      }
  }

  async #fetch(
    at: ServingAt,
    links: Links,
    asked: Asked,
    signal: AbortSignal | undefined,
  ): Promise<SharedArrayBuffer | "gone"> {
    const connection = takeIdle(links) ?? (await HolderConnection.open(at, this.#limits));
    try {
      const found = await connection.fetch(asked, signal);
      this.#keep(links, connection);
      return found;
    } catch (error) {
      connection.destroy(error as Error);
      throw error;
    }
  }

  #keep(links: Links, connection: HolderConnection): void {
    if (this.#isClosed) return connection.destroy(new Error("the connection was closed"));
    const timer = setTimeout(() => {
      const place = links.idle.findIndex((one) => one.connection === connection);
      if (place >= 0) links.idle.splice(place, 1);
      connection.destroy(new Error("the connection was not used"));
    }, this.#limits.keptMs);
    timer.unref();
    links.idle.push({ connection, timer });
  }

  #linksTo(at: ServingAt): Links {
    const key = keyOf(at);
    let links = this.#links.get(key);
    if (links === undefined) this.#links.set(key, (links = newLinks(this.#limits)));
    return links;
  }

  #forgetUnused(at: ServingAt, { idle, line }: Links): void {
    if (idle.length + line.inside + line.waiting === 0) this.#links.delete(keyOf(at));
  }
}

function newLinks({ connectionsMax }: LinkLimits): Links {
  return { idle: [], line: new Line({ atOnceMax: connectionsMax }) };
}

function keyOf({ address, certificate = "" }: ServingAt): string {
  return `${address} ${certificate}`;
}

/** The one used last, still open. */
function takeIdle({ idle }: Links): HolderConnection | undefined {
  for (;;) {
    const last = idle.pop();
    if (last === undefined) return undefined;
    clearTimeout(last.timer);
    if (last.connection.isOpen) return last.connection;
  }
}
