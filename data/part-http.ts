/**
 * Parts in the scheduler's own store, over HTTP: `PUT`, `GET`, `HEAD` of `/parts/NAME`, the token in `Authorization`, the
 * SHA-256 of the bytes in `x-sha256`, checked on both sides.
 *
 * A request that fails for a reason that may pass (no connection, silence, a status of 500 and above) is made again for up
 * to a minute.
 */
import { hash } from "node:crypto";
import { request as requestPlain, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as requestSecure } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { PeError } from "../common/errors.ts";
import { changeByLook } from "./part-change.ts";
import { assertPartName } from "./part-name.ts";
import type { PartAccess, PartStore } from "./part-store.ts";

/** Tries go on for so long. */
export const RETRY_FOR_MS = 60_000;
const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 5000;
/** A connection on which nothing moves for so long is given up. */
const SILENCE_MS = 15_000;

interface Answer {
  readonly status: number;
  readonly sha256: string | undefined;
  readonly body: Uint8Array;
}

interface Request extends Asking {
  readonly name: string;
}

interface Asking {
  readonly method: "PUT" | "GET" | "HEAD";
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

/**
 * @param job That needs the parts: its id, encoded as in a URL.
 * @throws {PeError} `PE_PARAMETER` without the scheduler's address.
 */
export function httpPartStore(access: PartAccess, retryForMs = RETRY_FOR_MS, job?: string): PartStore {
  if (access.schedulerUrl === undefined)
    throw new PeError("PE_PARAMETER", "Cannot keep parts in the scheduler's store: its address is not known here");
  const base = access.schedulerUrl.replace(/^ws/, "http").replace(/\/+$/, "");
  const owner = job === undefined ? {} : { "x-job": job };
  const ask = async (what: Request): Promise<Answer> =>
    await persist(base, access, { ...what, headers: { ...what.headers, ...owner } }, retryForMs);
  const store: PartStore = {
    url: "scheduler:",
    put: async (name, bytes, sha256) => {
      const digest = sha256 === undefined ? hash("sha256", bytes, "hex") : Buffer.from(sha256).toString("hex");
      const headers = { "x-sha256": digest, "content-length": bytes.byteLength };
      await ask({ method: "PUT", name, headers, body: bytes });
    },
    get: async (name) => {
      const { status, sha256, body } = await ask({ method: "GET", name });
      return status === 404 || hash("sha256", body, "hex") !== sha256 ? undefined : body;
    },
    getSlice: async (name, offset, into) => {
      if (into.byteLength === 0) return;
      const headers = { range: `bytes=${offset}-${offset + into.byteLength - 1}` };
      const { status, body } = await ask({ method: "GET", name, headers });
      // A server may answer with the whole.
      const slice = status === 200 ? body.subarray(offset, offset + into.byteLength) : body;
      if (status === 404 || status === 416 || slice.byteLength !== into.byteLength)
        throw cutShort(name, offset, status);
      into.set(slice);
    },
    has: async (name) => (await ask({ method: "HEAD", name })).status === 200,
    change: async (name, change) => await changeByLook(store, name, change),
    freeBytes: async () => freeBytesIn(await askOnce(base, access, { method: "GET", path: "/health" })),
  };
  return store;
}

/** Statuses that answer a question; the rest are refusals, or may pass. */
const ANSWERS = new Set([200, 201, 204, 206, 404, 416]);

async function persist(base: string, access: PartAccess, what: Request, retryForMs: number): Promise<Answer> {
  assertPartName(what.name);
  const startMs = performance.now();
  for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MOST_MS)) {
    let reason: string;
    try {
      const answer = await askOnce(base, access, { ...what, path: `/parts/${what.name}` });
      if (ANSWERS.has(answer.status) && !(what.method === "PUT" && answer.status === 404)) return answer;
      if (answer.status < 500 || answer.status === 507) throw refused(base, what, answer.status);
      reason = `it answers with status ${answer.status}`;
    } catch (error) {
      if (error instanceof PeError) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() - startMs + waitMs > retryForMs) throw lost(base, what, reason);
    // Those who failed together do not come back together.
    await sleep(waitMs * (0.5 + Math.random() / 2));
  }
}

async function askOnce(
  base: string,
  { token, ca }: PartAccess,
  { method, path, headers, body }: Asking & { readonly path: string },
): Promise<Answer> {
  const url = new URL(path, base);
  const options = {
    method,
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    timeout: SILENCE_MS,
  };
  // The authority is pinned, the host name not checked, so that a tunnel works.
  const pinned = ca === undefined ? {} : { ca, checkServerIdentity: () => undefined };
  return await new Promise<Answer>((resolve, reject) => {
    const request =
      url.protocol === "https:" ? requestSecure(url, { ...options, ...pinned }) : requestPlain(url, options);
    request.on("timeout", () => request.destroy(new Error(`nothing was heard for ${SILENCE_MS} ms`)));
    request.on("error", reject);
    request.on("response", (response) => void collect(response, method).then(resolve, reject));
    request.end(body);
  });
}

/** @throws {Error} when the body is not as long as was announced. */
async function collect(response: IncomingMessage, method: string): Promise<Answer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces);
  const announced = response.headers["content-length"];
  const isWhole = method === "HEAD" || announced === undefined || Number(announced) === body.byteLength;
  if (!response.complete || !isWhole) throw new Error(`the answer ends after ${body.byteLength} bytes`);
  const sha256 = response.headers["x-sha256"];
  return { status: response.statusCode ?? 0, sha256: typeof sha256 === "string" ? sha256 : undefined, body };
}

/** What the scheduler's health tells of the disk of its store. */
function freeBytesIn({ body }: Answer): number | undefined {
  const { parts } = JSON.parse(new TextDecoder().decode(body)) as { parts?: { bytesFree?: unknown } };
  return typeof parts?.bytesFree === "number" ? parts.bytesFree : undefined;
}

function refused(base: string, { method, name, body }: Request, status: number): PeError {
  const verb = method === "PUT" ? "store" : "read";
  if (status === 401 || status === 403)
    return new PeError("PE_ACCESS", `Cannot ${verb} part "${name}" at ${base}: the token is refused`);
  if (status === 507)
    return new PeError("PE_DISK_FULL", `Cannot store part "${name}" at ${base}: its disk is full; make room there`);
  const size = status === 413 ? `${body?.byteLength ?? 0} bytes are more than it takes` : `it answers with ${status}`;
  return new PeError("PE_OUTPUT_UNWRITABLE", `Cannot ${verb} part "${name}" at ${base}: ${size}`, {
    details: { status },
  });
}

function lost(base: string, { method, name }: Request, reason: string): PeError {
  const verb = method === "PUT" ? "store" : "read";
  return new PeError("PE_CONNECTION", `Cannot ${verb} part "${name}" at ${base}: ${reason}`);
}

function cutShort(name: string, offset: number, status: number): PeError {
  const reason = status === 404 ? "it is not there" : `it has not the bytes from ${offset} on`;
  return new PeError("PE_RESULTS_UNREADABLE", `Cannot read part "${name}": ${reason}`);
}
