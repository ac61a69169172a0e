/**
 * Values for those who cannot reach a holder: `GET /values/JOB/TASK`. The scheduler tells a holder, over its connection, to send the
 * value under a ticket (`PUT /relay/TICKET`), and pipes what comes to whoever asked. Nothing is kept here but what a pipe holds;
 * a side that goes away takes the other with it.
 *
 * Pieces and checksums are those of the holder; the needer looks at them.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Line } from "../common/line.ts";
import { VALUE_BYTES_MAX, type ValueName } from "../protocol/held-values.ts";
import { streamBytes } from "../protocol/transfer/pieces.ts";
import { VALUE_BYTES_HEADER } from "../protocol/transfer/relayed.ts";
import { answer, refuse } from "./answers.ts";

/** A worker that holds a value. */
export interface RelayHolder {
  /** Number of its connection. */
  readonly link: number;
  /** Its name. */
  readonly worker: string;
}

/** The workers, as the relay needs them. */
export interface RelayWorkers {
  holdersOf(name: ValueName): readonly RelayHolder[];
  /** Asks a holder to send a value here, under a ticket. @returns Whether it is there to be asked. */
  askForUpload(link: number, ticket: string, name: ValueName): boolean;
}

export interface RelayLimits {
  /** Piped at once. */
  readonly atOnceMax: number;
  /** That wait for one of them to end. */
  readonly waitingMax: number;
  readonly waitMs: number;
  /** From the ticket to the first byte. */
  readonly holderMs: number;
  /** Nothing comes, or nothing is taken. */
  readonly silenceMs: number;
}

// Together less than the time after which a request that stands still is closed.
const LIMITS: RelayLimits = { atOnceMax: 16, waitingMax: 256, waitMs: 10_000, holderMs: 5000, silenceMs: 10_000 };
/** That are asked for one request; it can be made again. */
const HOLDERS_MAX = 3;
const TICKET_BYTES = 24;

/** For `/health`. */
export interface RelayHealth {
  readonly now: number;
  readonly waiting: number;
  /** Since the start: values that went through whole, those that did not, and the bytes of both. */
  readonly relayed: number;
  readonly failed: number;
  readonly bytes: number;
}

/** The holder's request. */
interface Upload {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bytes: number;
}

interface Ticket {
  readonly link: number;
  readonly resolve: (come: Upload | "gone" | "silent") => void;
}

export class Relay {
  readonly #workers: RelayWorkers;
  readonly #limits: RelayLimits;
  readonly #line: Line;
  readonly #tickets = new Map<string, Ticket>();
  #relayed = 0;
  #failed = 0;
  #bytes = 0;

  constructor(workers: RelayWorkers, limits: Partial<RelayLimits> = {}) {
    this.#workers = workers;
    this.#limits = { ...LIMITS, ...limits };
    this.#line = new Line(this.#limits);
  }

  get health(): RelayHealth {
    const { inside: now, waiting } = this.#line;
    return { now, waiting, relayed: this.#relayed, failed: this.#failed, bytes: this.#bytes };
  }

  /** Serves a request for a value, whose token was checked. */
  async giveValue(name: ValueName, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET") {
      response.setHeader("allow", "GET");
      return refuse(response, 405, "PE_PARAMETER", `A value takes GET, not ${request.method}`);
    }
    const leaving = new AbortController();
    response.once("close", () => leaving.abort());
    const hasEntered = await this.#line.enter(leaving.signal);
    if (leaving.signal.aborted) return hasEntered ? this.#line.leave() : undefined;
    if (!hasEntered) {
      response.setHeader("retry-after", "1");
      return refuse(response, 503, "PE_CONNECTION", "The scheduler relays as many values as it can; try again");
    }
    try {
      await this.#give(name, response, leaving.signal);
    } finally {
      this.#line.leave();
    }
  }

  /** Serves a holder's request under a ticket: PUT brings the value, DELETE says that it has none. */
  takeUpload(ticket: string, request: IncomingMessage, response: ServerResponse): void {
    const waiting = this.#tickets.get(ticket);
    if (waiting === undefined) return refuse(response, 410, "PE_PARAMETER", "Nobody waits for this value any more");
    if (request.method !== "PUT" && request.method !== "DELETE") {
      response.setHeader("allow", "PUT, DELETE");
      return refuse(response, 405, "PE_PARAMETER", `A ticket takes PUT and DELETE, not ${request.method}`);
    }
    const bytes = Number(request.headers[VALUE_BYTES_HEADER]);
    const isValue = Number.isInteger(bytes) && bytes > 0 && bytes <= VALUE_BYTES_MAX;
    if (request.method === "PUT" && !(isValue && Number(request.headers["content-length"]) === streamBytes(bytes)))
      return refuse(response, 400, "PE_PARAMETER", "The length of the body does not fit the bytes of a value");
    if (request.method === "PUT") return waiting.resolve({ request, response, bytes });
    waiting.resolve("gone");
    response.writeHead(204).end();
  }

  /** The connection of a worker has ended: whoever waits for it hears so at once. */
  forget(link: number): void {
    for (const [text, ticket] of this.#tickets) if (ticket.link === link) this.#settle(text, "silent");
  }

  /** Nobody waits any more. */
  close(): void {
    for (const text of this.#tickets.keys()) this.#settle(text, "silent");
  }

  async #give(name: ValueName, response: ServerResponse, leaving: AbortSignal): Promise<void> {
    const gone: string[] = [];
    const holders = inAnyOrder(this.#workers.holdersOf(name)).slice(0, HOLDERS_MAX);
    for (const { link, worker } of holders) {
      const come = await this.#ask(link, name, leaving);
      if (typeof come === "object") return await this.#pipe(come, response);
      if (leaving.aborted) return;
      if (come === "gone") gone.push(worker);
    }
    this.#failed++;
    const silent = holders.map(({ worker }) => worker).filter((worker) => !gone.includes(worker));
    const because = [
      ...(holders.length === 0 ? ["no worker has it"] : []),
      ...(gone.length === 0 ? [] : [`${gone.join(", ")} ${gone.length === 1 ? "does" : "do"} not have it`]),
      ...(silent.length === 0 ? [] : [`${silent.join(", ")} did not send it`]),
    ].join("; ");
    // The status says whether asking again can help.
    answer(response, silent.length === 0 ? 404 : 504, {
      error: { code: "PE_VALUE_UNREACHABLE", message: because },
      gone,
    });
  }

  async #ask(link: number, name: ValueName, leaving: AbortSignal): Promise<Upload | "gone" | "silent"> {
    const text = randomBytes(TICKET_BYTES).toString("base64url");
    const giveUp = (): void => this.#settle(text, "silent");
    const timer = setTimeout(giveUp, this.#limits.holderMs);
    leaving.addEventListener("abort", giveUp);
    try {
      return await new Promise((resolve) => {
        this.#tickets.set(text, { link, resolve });
        if (!this.#workers.askForUpload(link, text, name)) giveUp();
      });
    } finally {
      clearTimeout(timer);
      leaving.removeEventListener("abort", giveUp);
      // Good once.
      this.#tickets.delete(text);
    }
  }

  #settle(text: string, how: "silent"): void {
    this.#tickets.get(text)?.resolve(how);
  }

  async #pipe({ request, response: toHolder, bytes }: Upload, response: ServerResponse): Promise<void> {
    request.setTimeout(this.#limits.silenceMs);
    request.on("data", (block: Buffer) => (this.#bytes += block.byteLength));
    response.writeHead(200, {
      "content-length": streamBytes(bytes),
      "content-type": "application/octet-stream",
      "cache-control": "no-store",
      [VALUE_BYTES_HEADER]: bytes,
    });
    try {
      await pipeline(request, response);
      this.#relayed++;
      toHolder.writeHead(204).end();
    } catch {
      // Either side went away; the pipeline has ended the other.
      this.#failed++;
      toHolder.destroy();
    }
  }
}

function inAnyOrder<Item>(items: readonly Item[]): readonly Item[] {
  const first = Math.floor(Math.random() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}
