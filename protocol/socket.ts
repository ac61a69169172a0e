/**
 * Connections over WebSockets; the one file that knows ws.
 *
 * `listenSockets` shares the port of an HTTP server that its caller made: it answers the requests to upgrade and leaves
 * all others alone. A path is a door: it has tokens, a link, and somebody behind it. Nothing of a frame is read before
 * token and origin were looked at.
 */
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { PeError } from "../common/errors.ts";
import { authorization, isTokenOf, tokenOf } from "./access.ts";
import { decodeFrame, encodeChecked, FRAME_BYTES_MAX } from "./codec.ts";
import {
  BUFFERED_BYTES_MAX,
  CLOSE,
  WiredConnection,
  type Connection,
  type End,
  type Link,
  type Wire,
} from "./connection.ts";
import type { AnyMessage, Infer, Messages } from "./schema.ts";

/** A side that was told of the end and does not answer is cut off after this time. */
const CLOSE_TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 10_000;
/** For the answer to a request that is refused. */
const REFUSE_TIMEOUT_MS = 5000;

const SOCKET_OPTIONS = {
  maxPayload: FRAME_BYTES_MAX,
  // A frame is sent in one piece; these bound what many small ones could take, and answers that are never read.
  maxFragments: 16,
  maxBufferedChunks: 16_384,
  maxPendingAutoPongs: 60,
  // 15 MB take 0.4 s to deflate, and less to send.
  perMessageDeflate: false,
  closeTimeout: CLOSE_TIMEOUT_MS,
};

/** For `createServer` of a server whose port connections share: nobody holds a socket without saying something. */
export const SERVER_OPTIONS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 2000,
  maxHeaderSize: 8192,
  noDelay: true,
} as const;

export interface ConnectOptions<Out extends Messages, In extends Messages> {
  readonly link: Link<Out, In>;
  readonly token?: string | undefined;
  /** Certificates (PEM) that alone are trusted; the host name is then not checked, so that a tunnel works. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
  readonly bufferedBytesMax?: number;
  readonly signal?: AbortSignal;
}

/**
 * Opens a connection to `ws://host:port/worker` or the like.
 *
 * @throws {PeError} `PE_CONNECTION` when nobody answers or the other side is full, `PE_ACCESS` when it refuses the token
 * or its certificate is not trusted, `PE_PARAMETER` for another sort of URL; the reason of `signal` when it aborts.
 */
export async function connectSocket<Out extends Messages, In extends Messages>(
  url: string,
  options: ConnectOptions<Out, In>,
): Promise<Connection<Infer<Out>, Infer<In>>> {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url))
    throw new PeError("PE_PARAMETER", `Cannot connect to "${url}": expected an address such as ws://host:8786`);
  const { link, token, ca, timeoutMs = CONNECT_TIMEOUT_MS, bufferedBytesMax = BUFFERED_BYTES_MAX, signal } = options;
  const socket = new WebSocket(url, {
    ...SOCKET_OPTIONS,
    handshakeTimeout: timeoutMs,
    headers: token === undefined ? {} : { authorization: authorization(token) },
    ...(ca !== undefined && { ca, checkServerIdentity: () => undefined }),
    // Masks protect careless proxies from scripts in browsers; this is neither, and masking costs time.
    generateMask: (mask: Buffer) => void mask.fill(0),
  });
  // Made before the socket opens: the first frame may come together with the answer to the upgrade.
  const connection = connectionOn(socket, link, url, bufferedBytesMax);
  const abort = (): void => socket.terminate();
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted) abort();
    await opened(socket, url);
  } catch (error) {
    const slip = signal?.aborted ? undefined : await wrongScheme(url, error, timeoutMs);
    throw signal?.aborted ? signal.reason : (slip ?? error);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  return connection;
}

function opened(socket: WebSocket, url: string): Promise<void> {
  return new Promise((done, fail) => {
    socket.once("open", done);
    socket.once("error", (error: NodeJS.ErrnoException) => fail(connectError(url, error)));
    socket.once("close", () => fail(new PeError("PE_CONNECTION", `Cannot connect to ${url}: it was closed`)));
    socket.once("unexpected-response", (request, response) => {
      fail(refusedError(url, response));
      request.destroy();
    });
  });
}

function connectError(url: string, error: NodeJS.ErrnoException): PeError {
  const isCertificate = /CERT|SELF_SIGNED|ISSUER|VERIFY|SIGNATURE|TLS|SSL/.test(error.code ?? "");
  const reason = isCertificate
    ? `its certificate is not trusted (${error.code}); use the access file of this scheduler`
    : `${error.code ?? error.message}; is a scheduler running there?`;
  return new PeError(isCertificate ? "PE_ACCESS" : "PE_CONNECTION", `Cannot connect to ${url}: ${reason}`, {
    cause: error,
    details: { url },
  });
}

/** The other side is there, but with TLS where the address has none, or the reverse. */
async function wrongScheme(url: string, error: unknown, timeoutMs: number): Promise<PeError | undefined> {
  const { cause } = error as PeError;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  const address = new URL(url);
  const wrong = (reason: string): PeError =>
    new PeError("PE_CONNECTION", `Cannot connect to ${url}: ${reason}`, { cause, details: { url } });
  if (address.protocol === "wss:" && code === "EPROTO")
    return wrong(`what answers there does not speak TLS; use ws://${address.host}`);
  if (address.protocol === "wss:" || code !== "ECONNRESET" || !(await speaksTls(address, timeoutMs))) return undefined;
  return wrong(`what answers there speaks TLS; use wss://${address.host} with the access file of this scheduler`);
}

/** Only shakes hands: says nothing, and trusts nobody. */
async function speaksTls({ hostname, port }: URL, timeoutMs: number): Promise<boolean> {
  return await new Promise<boolean>((done) => {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, timeout: timeoutMs });
    const end = (answer: boolean): void => {
      socket.destroy();
      done(answer);
    };
    socket.once("secureConnect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => end(false));
  });
}

function refusedError(url: string, { statusCode = 0, statusMessage = "" }: IncomingMessage): PeError {
  const isAccess = statusCode === 401 || statusCode === 403;
  const reason = isAccess
    ? `the token was refused (${statusCode} ${statusMessage}); use the access file of this scheduler`
    : `it answered ${statusCode} ${statusMessage}`;
  const details = { url, status: statusCode };
  return new PeError(isAccess ? "PE_ACCESS" : "PE_CONNECTION", `Cannot connect to ${url}: ${reason}`, { details });
}

/** A path on which connections of one role are opened. */
export interface Door<Out extends Messages, In extends Messages> {
  /** `/worker` */
  readonly path: string;
  readonly link: Link<Out, In>;
  /** Any of these opens it; absent: it stands open. */
  readonly tokens?: readonly string[] | undefined;
  readonly onConnection: (connection: Connection<Infer<Out>, Infer<In>>) => void;
}

/** A door whose messages only itself knows. */
export interface AnyDoor {
  readonly path: string;
  readonly tokens: readonly string[] | undefined;
  readonly admit: (socket: WebSocket, remote: string, bufferedBytesMax: number) => Connection<never, unknown>;
}

export function door<Out extends Messages, In extends Messages>(options: Door<Out, In>): AnyDoor {
  const { path, link, tokens, onConnection } = options;
  return {
    path,
    tokens,
    admit(socket, remote, bufferedBytesMax) {
      const connection = connectionOn(socket, link, remote, bufferedBytesMax);
      onConnection(connection);
      return connection;
    },
  };
}

export interface ListenOptions {
  readonly server: HttpServer | HttpsServer;
  readonly doors: readonly AnyDoor[];
  /** Open at once, of all doors; more are refused. */
  readonly connectionsMax?: number;
  readonly bufferedBytesMax?: number;
  /** Origins of web pages that may connect; programs send none. */
  readonly origins?: readonly string[];
}

/** By default; the files a process may have open are usually 1024 or more. */
export const CONNECTIONS_MAX = 4096;

export interface Sockets {
  /** Connections open now. */
  readonly count: number;
  /** Takes no more connections, ends those that are open, and resolves when all have ended. Leaves the server running. */
  close(reason: string): Promise<void>;
}

/** Answers the requests of `server` to upgrade; tokens, limits and origins as in `options`. */
export function listenSockets(options: ListenOptions): Sockets {
  const { server, doors, connectionsMax = CONNECTIONS_MAX, bufferedBytesMax = BUFFERED_BYTES_MAX } = options;
  const upgrader = new WebSocketServer({ noServer: true, clientTracking: false, ...SOCKET_OPTIONS });
  const open = new Map<WebSocket, Connection<never, unknown>>();
  let whenEmpty: (() => void) | undefined;

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const admitted = whoMayEnter(request, doors, options.origins ?? []);
    if ("status" in admitted) return refuse(socket, admitted.status, admitted.reason);
    if (open.size >= connectionsMax) return refuse(socket, 503, `All ${connectionsMax} connections are taken`);
    upgrader.handleUpgrade(request, socket, head, (opening) => {
      const { remoteAddress, remotePort } = socket as Socket;
      opening.once("close", () => {
        open.delete(opening);
        if (open.size === 0) whenEmpty?.();
      });
      open.set(opening, admitted.door.admit(opening, `${remoteAddress}:${remotePort}`, bufferedBytesMax));
    });
  };
  server.on("upgrade", onUpgrade);
  return {
    get count() {
      return open.size;
    },
    async close(reason) {
      server.off("upgrade", onUpgrade);
      if (open.size === 0) return;
      const emptied = new Promise<void>((done) => (whenEmpty = done));
      for (const connection of open.values()) connection.close(reason);
      await emptied;
    },
  };
}

type Admission = { readonly door: AnyDoor } | { readonly status: number; readonly reason: string };

function whoMayEnter(request: IncomingMessage, doors: readonly AnyDoor[], origins: readonly string[]): Admission {
  const path = (request.url ?? "").split("?", 1)[0];
  const { origin, authorization: header } = request.headers;
  const token = tokenOf(header);
  const opens = ({ tokens }: AnyDoor): boolean =>
    tokens === undefined || (token !== undefined && isTokenOf(token, tokens));
  const asked = doors.find((one) => one.path === path);
  if (asked !== undefined && opens(asked)) {
    if (origin === undefined || origins.includes(origin)) return { door: asked };
    return { status: 403, reason: "Origin not allowed" };
  }
  // Who has no token does not learn which doors there are.
  const other = doors.find((one) => one.tokens !== undefined && opens(one));
  if (other === undefined && doors.some(({ tokens }) => tokens !== undefined))
    return { status: 401, reason: "Unauthorized" };
  if (asked === undefined) return { status: 404, reason: "Not Found" };
  return { status: 403, reason: `This token opens ${other?.path} alone` };
}

function refuse(socket: Duplex, status: number, reason: string): void {
  socket.on("error", () => socket.destroy());
  (socket as Socket).setTimeout(REFUSE_TIMEOUT_MS, () => socket.destroy());
  const scheme = status === 401 ? "WWW-Authenticate: Bearer\r\n" : "";
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${scheme}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

function connectionOn<Out extends Messages, In extends Messages>(
  socket: WebSocket,
  link: Link<Out, In>,
  remote: string,
  bufferedBytesMax: number,
): Connection<Infer<Out>, Infer<In>> {
  const translation = {
    link: link.out,
    encode: (messages: readonly AnyMessage[], version?: number) =>
      encodeChecked(link.out, messages, FRAME_BYTES_MAX, version),
    decode: (frame: Uint8Array) => decodeFrame(link.in, frame) as AnyMessage[],
  };
  const connection = new WiredConnection(wireOn(socket, remote), translation, bufferedBytesMax);
  let fault: Error | undefined;
  // ws sets TCP_NODELAY by itself: without it small frames wait 40 ms for each other.
  socket.on("message", (frame: Buffer, isBinary) => {
    // Text is no frame; empty bytes are refused as such.
    connection.received(isBinary ? frame : new Uint8Array(0));
  });
  socket.on("error", (error) => (fault = error));
  socket.on("close", (code, reason) => connection.ended(endOf(code, reason.toString("utf8"), fault)));
  return connection as unknown as Connection<Infer<Out>, Infer<In>>;
}

function endOf(code: number, reason: string, fault: NodeJS.ErrnoException | undefined): End {
  if (fault?.code?.startsWith("WS_ERR_")) return { code: CLOSE.protocol, reason: fault.message };
  if (fault !== undefined)
    return { code: CLOSE.lost, reason: `the connection was lost: ${fault.code ?? fault.message}` };
  return { code, reason: reason === "" && code === CLOSE.lost ? "the connection was lost" : reason };
}

function wireOn(socket: WebSocket, remote: string): Wire<Uint8Array> {
  return {
    remote,
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    write: (frame) => socket.send(frame, ignoreError),
    end: ({ code, reason }) => {
      socket.close(code, reason);
      // A side that stopped reading could not see the farewell of the other.
      socket.resume();
    },
    destroy: () => socket.terminate(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}

/** A frame that could not be written is followed by the end of the connection, which says why. */
function ignoreError(): void {}
