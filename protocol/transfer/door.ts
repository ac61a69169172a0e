/**
 * Where a worker serves values: a port of its own, over TCP, or over TLS with a certificate of which needers know the hash.
 *
 * Whoever connects asks, one request after the other. Nothing of a request but its fixed places is looked at before its token,
 * which opens the values of one job. Bytes go out from where the value lies, at most four pieces of a connection at a time.
 */
import { timingSafeEqual } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import { PeError } from "../../common/errors.ts";
import { fingerprintOf } from "../certificates.ts";
import type { ServingAt, ValueName } from "../held-values.ts";
import {
  decodeRequest,
  encodeAnswer,
  readToken,
  REQUEST_BYTES_MAX,
  type AnswerStatus,
  type Request,
} from "./request.ts";
import { sendPieces } from "./sending.ts";
import type { ServedValue } from "./served-value.ts";
import { Turns } from "./turns.ts";

export interface DoorOptions {
  /** Address of this machine to listen on. */
  readonly host: string;
  /** One that is free by default. */
  readonly port?: number;
  /** The host as others reach it, where that is not the one to listen on. */
  readonly announce?: string;
  /** Certificate and key, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** What opens the values of a job: `valueToken`. */
  readonly tokenOf: (jobId: string) => string;
  /** Undefined where it is not here. Closed when it is sent, or could not be. */
  readonly openValue: (name: ValueName) => ServedValue | undefined | Promise<ServedValue | undefined>;
  /** A value that is here could not be sent because of this side, such as a file that is damaged. */
  readonly onFault?: (name: ValueName, error: Error) => void;
  readonly limits?: Partial<DoorLimits>;
}

export interface DoorLimits {
  /** Open at once; who comes then is told so. */
  readonly connectionsMax: number;
  /** On one connection, one after the other. */
  readonly requestsMax: number;
  /** From a connection, or the first byte of a request, to all of it. */
  readonly requestMs: number;
  /** A connection without a request. */
  readonly idleMs: number;
  /** A needer that takes nothing. */
  readonly stallMs: number;
}

const LIMITS: DoorLimits = {
  connectionsMax: 512,
  requestsMax: 10_000,
  requestMs: 5000,
  idleMs: 60_000,
  stallMs: 15_000,
};

/** For people. */
export interface DoorCounts {
  readonly connections: number;
  readonly sending: number;
  /** Since the door is open. */
  readonly sent: number;
  readonly sentBytes: number;
  readonly refused: number;
}

export interface Door {
  readonly at: ServingAt;
  readonly counts: DoorCounts;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Opens the door.
 *
 * @throws {PeError} `PE_ADDRESS` when it cannot listen there.
 * @example
 * const door = await openDoor({ host: "127.0.0.1", tokenOf: (job) => valueToken(secret, job), openValue: (name) => store.open(name) });
 * door.at; // { address: "127.0.0.1:40123" }
 */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { host, port = 0, announce = host, tls } = options;
  const guests = new Guests(options);
  const settings = { noDelay: true, keepAlive: true };
  const server =
    tls === undefined
      ? createServer(settings, (socket) => guests.enter(socket))
      : createSecureServer({ ...settings, ...tls, handshakeTimeout: guests.limits.requestMs }, (socket) =>
          guests.enter(socket),
        );
  // Those that are told to come later need a place too; more than that are cut off by the system.
  server.maxConnections = guests.limits.connectionsMax * 2;
  server.on("tlsClientError", (_, socket: Socket) => socket.destroy());
  server.on("connection", (socket: Socket) => guests.come(socket));
  const bound = await listen(server, host, port);
  const name = announce.includes(":") ? `[${announce}]` : announce;
  const certificate = tls === undefined ? undefined : fingerprintOf(tls.cert);
  let closed: Promise<void> | undefined;
  return {
    at: { address: `${name}:${bound}`, ...(certificate !== undefined && { certificate }) },
    get counts() {
      return guests.counts;
    },
    close: () => (closed ??= close(server, guests)),
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", (error) =>
      fail(
        new PeError("PE_ADDRESS", `Cannot serve values on ${host}:${port}: ${error.message}`, {
          cause: error,
        }),
      ),
    );
    server.listen({ host, port, exclusive: true }, () => done((server.address() as AddressInfo).port));
  });
}

async function close(server: Server, guests: Guests): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  guests.leave();
  await closed;
}

/** Those who are at the door now. */
class Guests {
  readonly options: DoorOptions;
  readonly limits: DoorLimits;
  readonly turns = new Turns();
  readonly #sockets = new Set<Socket>();
  /** Also those that still shake hands. */
  readonly #connections = new Set<Socket>();
  #sending = 0;
  #sent = 0;
  #sentBytes = 0;
  #refused = 0;
  readonly onSent = (bytes: number): void => void (this.#sentBytes += bytes);

  constructor(options: DoorOptions) {
    this.options = options;
    this.limits = { ...LIMITS, ...options.limits };
  }

  get counts(): DoorCounts {
    return {
      connections: this.#sockets.size,
      sending: this.#sending,
      sent: this.#sent,
      sentBytes: this.#sentBytes,
      refused: this.#refused,
    };
  }

  come(connection: Socket): void {
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
  }

  enter(socket: Socket): void {
    // What is wrong with a connection ends it, and "close" follows.
    socket.on("error", () => undefined);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#sockets.size <= this.limits.connectionsMax) return new Guest(socket, this).listen();
    this.refuse(socket, "busy");
  }

  leave(): void {
    for (const socket of [...this.#sockets, ...this.#connections]) socket.destroy();
  }

  /** Answers, and wants no more of this connection. */
  refuse(socket: Socket, status: AnswerStatus): void {
    this.#refused++;
    socket.setTimeout(this.limits.requestMs, () => socket.destroy());
    socket.end(encodeAnswer(status), () => socket.destroy());
  }

  async send(socket: Socket, value: ServedValue): Promise<void> {
    const number = this.turns.enter();
    this.#sending++;
    try {
      socket.write(encodeAnswer("value", value.bytes));
      await sendPieces(socket, value, { turn: () => this.turns.next(number), onSent: this.onSent });
      this.#sent++;
    } finally {
      this.#sending--;
    }
  }
}

/** One connection, which asks. */
class Guest {
  readonly #socket: Socket;
  readonly #guests: Guests;
  #come: Buffer = Buffer.alloc(0);
  #requests = 0;
  #isAnswering = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(socket: Socket, guests: Guests) {
    this.#socket = socket;
    this.#guests = guests;
  }

  listen(): void {
    const { idleMs, requestMs } = this.#guests.limits;
    this.#socket.on("data", (bytes: Buffer) => this.#hear(bytes));
    this.#socket.once("close", () => clearTimeout(this.#deadline));
    this.#socket.setTimeout(idleMs, () => this.#socket.destroy());
    this.#waitFor(requestMs);
  }

  /** A request must be whole by then. */
  #waitFor(ms: number): void {
    this.#deadline ??= setTimeout(() => this.#socket.destroy(), ms);
  }

  /** The next request may come before this side knows that the last answer has arrived; more than one is not kept. */
  #hear(bytes: Buffer): void {
    if (this.#come.byteLength + bytes.byteLength > REQUEST_BYTES_MAX) return void this.#socket.destroy();
    this.#come = this.#come.byteLength === 0 ? bytes : Buffer.concat([this.#come, bytes]);
    if (!this.#isAnswering) this.#look();
  }

  #look(): void {
    if (this.#come.byteLength === 0 || this.#socket.destroyed) return;
    this.#waitFor(this.#guests.limits.requestMs);
    try {
      const request = decodeRequest(this.#come);
      if (request === undefined) return;
      clearTimeout(this.#deadline);
      this.#deadline = undefined;
      this.#come = this.#come.subarray(request.bytes);
      void this.#answer(request);
    } catch {
      this.#socket.destroy();
    }
  }

  async #answer(request: Request): Promise<void> {
    const { options, limits } = this.#guests;
    const { id, task } = request;
    this.#isAnswering = true;
    try {
      if (!isOpenedBy(options.tokenOf(id), request.token) || ++this.#requests > limits.requestsMax)
        return this.#guests.refuse(this.#socket, "refused");
      const value = await options.openValue({ id, task });
      if (value === undefined) this.#socket.write(encodeAnswer("gone"));
      else await this.#give(value);
    } catch (error) {
      if (!this.#socket.destroyed) options.onFault?.({ id, task }, error as Error);
      // Half of a value must not be followed by anything.
      this.#socket.destroy();
    } finally {
      this.#isAnswering = false;
      this.#look();
    }
  }

  async #give(value: ServedValue): Promise<void> {
    const { idleMs, stallMs } = this.#guests.limits;
    try {
      this.#socket.setTimeout(stallMs);
      await this.#guests.send(this.#socket, value);
      this.#socket.setTimeout(idleMs);
    } finally {
      value.close();
    }
  }
}

/** Compared to the end, wherever they differ. */
function isOpenedBy(expected: string, token: Uint8Array): boolean {
  const bytes = readToken(expected);
  return bytes !== undefined && timingSafeEqual(bytes, token);
}
