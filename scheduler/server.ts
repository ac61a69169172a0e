/** The scheduler behind one port: doors for workers and clients, and HTTP. */
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { PeError } from "../common/errors.ts";
import { asWriteError } from "../data/durable.ts";
import { makeFolders } from "../data/folders.ts";
import { valueToken } from "../protocol/access.ts";
import { clientToScheduler, schedulerToClient } from "../protocol/client-link.ts";
import { CONNECTIONS_MAX, door, listenSockets, SERVER_OPTIONS, type Sockets } from "../protocol/socket.ts";
import { schedulerToWorker, workerToScheduler } from "../protocol/worker-link.ts";
import type { Tls } from "./access.ts";
import { handleHttp } from "./http.ts";
import { PartOwners } from "./part-owners.ts";
import { PartRoom } from "./part-room.ts";
import { Relay } from "./relay.ts";
import { startScheduler, type Scheduler, type SchedulerOptions } from "./scheduler.ts";

export interface Tokens {
  readonly clientToken: string;
  readonly workerToken: string;
}

export interface ServeOptions extends SchedulerOptions {
  /** Address of this machine to listen on. */
  readonly host: string;
  /** 0 is one that is free. */
  readonly port: number;
  readonly tls?: Tls | undefined;
  /** Asked once, with the address at which the scheduler listens. */
  readonly tokens: (url: string) => Promise<Tokens>;
  /** Folder of the part store; made when it is not there. */
  readonly partsFolder: string;
  /** Other names of this machine, for requests without a token. */
  readonly hosts?: readonly string[];
  /** Of workers and clients together. */
  readonly connectionsMax?: number;
}

export interface SchedulerServer {
  /** `ws://host:port` or `wss://host:port`. */
  readonly url: string;
  readonly port: number;
  readonly scheduler: Scheduler;
  /** Takes nothing more, makes durable what there is, ends all connections. @throws {PeError} as `Scheduler.close` */
  close(): Promise<void>;
}

/** Connections for requests over HTTP, beyond those of workers and clients. */
const HTTP_CONNECTIONS_MAX = 512;
/** A large part over a slow line; silence is looked at elsewhere. */
const REQUEST_TIMEOUT_MS = 600_000;
/** When the scheduler stops, requests under way have so long. */
const CLOSE_TIMEOUT_MS = 3000;
/** Finds out that a client's machine is gone although nobody says anything. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Starts a scheduler and listens. While it reads its journal, requests are answered with 503.
 *
 * @throws {PeError} `PE_ADDRESS` when it cannot listen there, `PE_OUTPUT_UNWRITABLE` for the folder of parts, and as
 * `startScheduler`
 */
export async function serveScheduler(options: ServeOptions): Promise<SchedulerServer> {
  const { host, tls, partsFolder, connectionsMax = CONNECTIONS_MAX, log = () => undefined } = options;
  const settings = {
    ...SERVER_OPTIONS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
  const owners = new PartOwners(partsFolder, log);
  let started: { scheduler: Scheduler; tokens: Tokens } | undefined;
  const relay = new Relay({
    holdersOf: (name) => started?.scheduler.holders.holdersOf(name) ?? [],
    askForUpload: (link, ticket, name) => started?.scheduler.holders.askForUpload(link, ticket, name) ?? false,
  });
  const handler = handleHttp({
    tokens: () => started && [started.tokens.clientToken, started.tokens.workerToken],
    health: () => started?.scheduler.health(),
    parts: { folder: partsFolder, owners, room: new PartRoom(partsFolder) },
    relay,
    hosts: [host, ...(options.hosts ?? [])],
    log,
  });
  const server =
    tls === undefined ? createServer(settings, handler) : createSecureServer({ ...settings, ...tls }, handler);
  server.maxConnections = connectionsMax + HTTP_CONNECTIONS_MAX;
  const port = await listen(server, host, options.port);
  const url = `${tls === undefined ? "ws" : "wss"}://${nameOf(host)}:${port}`;
  try {
    await makeFolders(partsFolder, 0o700).catch((error: unknown) => {
      throw asWriteError(error, partsFolder);
    });
    await owners.open();
    const scheduler = await startScheduler({
      ...options,
      valueToken: (job) => started && valueToken(started.tokens.workerToken, job),
      onReleased: (job) => owners.release(job),
      onWorkerGone: (link) => relay.forget(link),
    });
    started = { scheduler, tokens: await options.tokens(url).catch(closing(scheduler)) };
  } catch (error) {
    await end(server);
    throw error;
  }
  const { scheduler, tokens } = started;
  const sockets = listenSockets({ server, connectionsMax, doors: doorsOf(scheduler, tokens) });
  let closed: Promise<void> | undefined;
  return { url, port, scheduler, close: () => (closed ??= close({ server, sockets, scheduler, owners, relay })) };
}

function doorsOf(scheduler: Scheduler, { workerToken, clientToken }: Tokens) {
  return [
    door({
      path: "/worker",
      tokens: [workerToken],
      link: { out: schedulerToWorker, in: workerToScheduler },
      onConnection: (connection) => scheduler.acceptWorker(connection),
    }),
    door({
      path: "/client",
      tokens: [clientToken],
      link: { out: schedulerToClient, in: clientToScheduler },
      onConnection: (connection) => scheduler.acceptClient(connection),
    }),
  ];
}

function closing(scheduler: Scheduler): (error: unknown) => Promise<never> {
  return async (error) => {
    await scheduler.close();
    throw error;
  };
}

interface Running {
  readonly server: HttpServer;
  readonly sockets: Sockets;
  readonly scheduler: Scheduler;
  readonly owners: PartOwners;
  readonly relay: Relay;
}

async function close({ server, sockets, scheduler, owners, relay }: Running): Promise<void> {
  const stopped = end(server);
  relay.close();
  try {
    await scheduler.close();
  } finally {
    await owners.close();
    await sockets.close("the scheduler stops");
    await stopped;
  }
}

/** Takes no more connections, and cuts those that do not end by themselves. */
async function end(server: HttpServer): Promise<void> {
  const ended = new Promise<void>((done) => server.close(() => done()));
  server.closeIdleConnections();
  const cutting = new AbortController();
  const cut = sleep(CLOSE_TIMEOUT_MS, undefined, { signal: cutting.signal })
    .then(() => server.closeAllConnections())
    .catch(() => undefined);
  await ended;
  cutting.abort();
  await cut;
}

/** @returns The port. */
function listen(server: HttpServer, host: string, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => fail(addressError(host, port, error)));
    server.listen({ host, port, exclusive: true }, () => done((server.address() as AddressInfo).port));
  });
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there, perhaps a scheduler; stop it or choose another --port",
  EACCES: "this user may not use the port; choose one above 1023",
  EADDRNOTAVAIL: "this machine has no such address; choose another --host",
  ENOTFOUND: "there is no machine of this name; choose another --host",
};

function addressError(host: string, port: number, error: NodeJS.ErrnoException): PeError {
  const reason = REASONS[error.code ?? ""] ?? error.message;
  return new PeError("PE_ADDRESS", `Cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}

/** The host as others write it in an address. */
function nameOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return hostname();
  return host.includes(":") ? `[${host}]` : host;
}
