/** The way through the scheduler: `GET /values/JOB/TASK` at its port, which pipes what a holder sends it. */
import { Agent, request as requestPlain, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as requestSecure } from "node:https";
import { PeError } from "../../common/errors.ts";
import { authorization } from "../access.ts";
import type { ValueName } from "../held-values.ts";
import { PieceReader, streamBytes } from "./pieces.ts";
import { allocateValue } from "./value-memory.ts";

/** How the scheduler is reached; an `AccessGrant` is one. */
export interface RelayAccess {
  /** `ws://host:port` or `wss://host:port`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Certificate (PEM) that alone is trusted; the host name is not checked. */
  readonly ca?: string | undefined;
}

/** The header with the bytes of a value. */
export const VALUE_BYTES_HEADER = "x-value-bytes";
/** Nothing is heard: longer than the scheduler waits for a holder. */
const SILENCE_MS = 30_000;
const REFUSAL_BYTES_MAX = 64 << 10;

/** The path of a value at the scheduler. */
export function valuePath({ id, task }: ValueName): string {
  return `/values/${encodeURIComponent(id)}/${task}`;
}

export interface RelayedRequest {
  readonly name: ValueName;
  readonly bytes: number;
  readonly relay: RelayAccess;
  readonly signal: AbortSignal;
  readonly agents: Agents;
}

/** Connections to schedulers that are kept for the next request. */
export interface Agents {
  readonly plain: Agent;
  readonly secure: SecureAgent;
  close(): void;
}

const FREE_CONNECTIONS_MAX = 4;

export function createAgents(): Agents {
  const settings = { keepAlive: true, maxFreeSockets: FREE_CONNECTIONS_MAX };
  const [plain, secure] = [new Agent(settings), new SecureAgent(settings)];
  return {
    plain,
    secure,
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** The scheduler found nobody who sends it. */
export interface NotRelayed {
  /** Workers that said that they do not have it. */
  readonly gone: readonly string[];
  readonly because: string;
}

/** @throws {DamagedPiece} and other errors when it does not come whole. */
export async function fetchRelayed(request: RelayedRequest): Promise<SharedArrayBuffer | NotRelayed> {
  const response = await ask(request);
  try {
    if (response.statusCode !== 200) return await refusal(response);
    const { bytes } = request;
    const announced = Number(response.headers[VALUE_BYTES_HEADER]);
    if (announced !== bytes) throw new Error(`it has ${announced} bytes, not ${bytes}`);
    return await read(response, bytes);
  } finally {
    // One that was read to its end stays open for the next request.
    if (!response.complete) response.destroy();
  }
}

/** Options of a request to the scheduler that holds for all of its doors. */
export function requestTo({ url, token, ca }: RelayAccess, path: string) {
  const target = new URL(path, url.replace(/^ws/, "http"));
  const isSecure = target.protocol === "https:";
  return {
    target,
    request: isSecure ? requestSecure : requestPlain,
    isSecure,
    options: {
      headers: token === undefined ? {} : { authorization: authorization(token) },
      // The authority is pinned, the host name not checked, so that a tunnel works.
      ...(isSecure && ca !== undefined && { ca, checkServerIdentity: () => undefined }),
    },
  };
}

function ask({ name, relay, signal, agents }: RelayedRequest): Promise<IncomingMessage> {
  const { target, request, isSecure, options } = requestTo(relay, valuePath(name));
  return new Promise((resolve, reject) => {
    const asking = request(target, {
      ...options,
      signal,
      agent: isSecure ? agents.secure : agents.plain,
      timeout: SILENCE_MS,
    });
    asking.on("timeout", () => asking.destroy(new Error(`nothing was heard for ${SILENCE_MS} ms`)));
    asking.on("error", reject);
    asking.on("response", resolve);
    asking.end();
  });
}

/** Block by block as they come: an iterator would first put them together in memory of its own. */
function read(response: IncomingMessage, bytes: number): Promise<SharedArrayBuffer> {
  const target = allocateValue(bytes);
  const reader = new PieceReader(target);
  let come = 0;
  return new Promise((resolve, reject) => {
    const cut = (): void => reject(new Error(`it ends after ${come} of ${streamBytes(bytes)} bytes`));
    response.on("data", (block: Buffer) => {
      come += block.byteLength;
      try {
        if (!reader.takes(block)) throw new Error("it sends more than it announced");
      } catch (error) {
        reject(error);
        response.destroy();
      }
    });
    response.on("end", () => (reader.isDone ? resolve(target) : cut()));
    response.on("error", cut);
    response.on("close", cut);
  });
}

async function refusal(response: IncomingMessage): Promise<NotRelayed> {
  const { statusCode = 0 } = response;
  let text = "";
  for await (const block of response as AsyncIterable<Buffer>)
    if (text.length < REFUSAL_BYTES_MAX) text += block.toString("utf8");
  if (statusCode === 401 || statusCode === 403)
    throw new PeError("PE_ACCESS", `the token was refused (${statusCode}); use the access file of this scheduler`);
  const { gone, because = `it answers with status ${statusCode}` } = said(text);
  return { gone: gone ?? [], because };
}

/** What a refusal says, as far as it can be understood. */
function said(text: string): { readonly gone?: readonly string[]; readonly because?: string } {
  try {
    const { gone, error } = JSON.parse(text) as { gone?: unknown; error?: { message?: unknown } };
    return {
      ...(Array.isArray(gone) && { gone: gone.filter((worker): worker is string => typeof worker === "string") }),
      ...(typeof error?.message === "string" && { because: error.message }),
    };
  } catch {
    return {};
  }
}
