/**
 * The scheduler's own store of parts, over HTTP: `PUT`, `GET` and `HEAD` of `/parts/NAME`.
 *
 * A file holds the bytes of a part and their SHA-256, as in a folder of parts that workers write themselves, so that either
 * can be read as the other. Bytes go from the connection to the disk as they come; an answer to `PUT` means that they are
 * on it. The header `x-job` names the job that needs the part (an id as in a URL): without it the part stays for ever.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, open, type FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { PeError } from "../common/errors.ts";
import { asWriteError, replaceDurably } from "../data/durable.ts";
import { errnoOf } from "../data/errno.ts";
import { makeFolders } from "../data/folders.ts";
import { isPartName } from "../data/part-name.ts";
import { refuse } from "./answers.ts";
import type { PartOwners } from "./part-owners.ts";
import type { PartRoom } from "./part-room.ts";

/** Bytes of one part. */
export const PART_BYTES_MAX = 256 << 20;
const HASH_BYTES = 32;

/** The store behind the door. */
export interface PartFolder {
  readonly folder: string;
  readonly owners: PartOwners;
  readonly room: PartRoom;
}

/** Serves one request to `/parts/NAME`, whose token was checked. */
export async function servePart(
  store: PartFolder,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isPartName(name)) return refuse(response, 404, "PE_PARAMETER", `No part can be called "${name.slice(0, 128)}"`);
  const job = jobOf(request);
  if (job === null) return refuse(response, 400, "PE_PARAMETER", "The header x-job names no job");
  const path = join(store.folder, name);
  if (request.method === "PUT") return await put(store, { name, path, job }, request, response);
  if (request.method === "GET" || request.method === "HEAD") {
    if (job !== undefined && (await isThere(path))) await store.owners.own(job, name);
    return await get(path, request, response);
  }
  response.setHeader("allow", "GET, HEAD, PUT");
  refuse(response, 405, "PE_PARAMETER", `A part takes GET, HEAD and PUT, not ${request.method}`);
}

const JOB_ID_LENGTH_MAX = 256;

/** The job that needs the part; undefined where none is named, null where it cannot be one. */
function jobOf({ headers: { "x-job": named } }: IncomingMessage): string | undefined | null {
  if (named === undefined) return undefined;
  try {
    const job = decodeURIComponent(String(named));
    return job.length <= JOB_ID_LENGTH_MAX ? job : null;
  } catch {
    return null;
  }
}

interface Wanted {
  readonly name: string;
  readonly path: string;
  readonly job: string | undefined;
}

async function put(
  { folder, owners, room }: PartFolder,
  { name, path, job }: Wanted,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const announced = request.headers["x-sha256"];
  if (typeof announced !== "string" || !/^[0-9a-f]{64}$/.test(announced))
    return refuse(response, 400, "PE_PARAMETER", "Cannot store the part: its SHA-256 is not in the header x-sha256");
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > PART_BYTES_MAX) return refuseLarge(response);
  try {
    await makeFolders(folder, 0o700);
    if (job !== undefined) await owners.own(job, name);
    await replaceDurably(path, async (temporary) => await receive(temporary, announced, request));
    room.stored();
  } catch (thrown) {
    if (request.destroyed && !request.complete) return;
    const error = asWriteError(thrown, path);
    if (!(error instanceof PeError)) throw error;
    if (error.code === "PE_DISK_FULL") room.refused(length);
    if (error.details.tooLarge === true) return refuseLarge(response);
    await readToEnd(request);
    return refuse(response, STATUS[error.code] ?? 500, error.code, error.message);
  }
  response.writeHead(204).end();
}

const STATUS: Partial<Record<PeError["code"], number>> = { PE_DISK_FULL: 507, PE_PARAMETER: 400 };

/** @throws {PeError} `PE_PARAMETER` when there are too many bytes, or they are not those that were announced. */
async function receive(path: string, announced: string, request: IncomingMessage): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    // Left whole when this fails: there is still an answer to give.
    const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const piece of pieces) {
      bytes += piece.byteLength;
      if (bytes > PART_BYTES_MAX)
        throw new PeError("PE_PARAMETER", "Cannot store the part: it is too large", { details: { tooLarge: true } });
      hash.update(piece);
      await file.writeFile(piece);
    }
    const digest = hash.digest();
    if (digest.toString("hex") !== announced)
      throw new PeError("PE_PARAMETER", `Cannot store the part: the SHA-256 of its ${bytes} bytes is not ${announced}`);
    await file.writeFile(digest);
  } finally {
    await file.close();
  }
}

/** Who is still sending would hear of a closed connection, not of the answer. */
async function readToEnd(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  const ended = new Promise<void>((done) => request.once("close", done).once("end", done));
  request.resume();
  await ended;
}

function refuseLarge(response: ServerResponse): void {
  refuse(response, 413, "PE_PARAMETER", `Cannot store the part: it has more than ${PART_BYTES_MAX} bytes`);
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function get(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = await openPart(path);
  const bytes = file === undefined ? -1 : (await file.stat()).size - HASH_BYTES;
  try {
    if (file === undefined || bytes < 0) return refuse(response, 404, "PE_RESULTS_UNREADABLE", "There is no such part");
    await sendPart(file, bytes, request, response);
  } finally {
    await file?.close();
  }
}

async function openPart(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
    throw error;
  }
}

async function sendPart(
  file: FileHandle,
  bytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const digest = Buffer.alloc(HASH_BYTES);
  await file.read(digest, 0, HASH_BYTES, bytes);
  response.setHeader("x-sha256", digest.toString("hex"));
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("content-type", "application/octet-stream");
  const range = rangeOf(request.headers.range, bytes);
  if (range === "beyond") {
    response.setHeader("content-range", `bytes */${bytes}`);
    return refuse(response, 416, "PE_PARAMETER", `The part has ${bytes} bytes`);
  }
  const { start, stop } = range ?? { start: 0, stop: bytes };
  if (range !== undefined) response.setHeader("content-range", `bytes ${start}-${stop - 1}/${bytes}`);
  response.writeHead(range === undefined ? 200 : 206, { "content-length": stop - start });
  if (request.method === "HEAD" || stop === start) return void response.end();
  const stream = file.createReadStream({ start, end: stop - 1, autoClose: false, highWaterMark: 256 << 10 });
  // Who went away before the end needs no answer.
  await pipeline(stream, response).catch(() => undefined);
}

/** One range of bytes, half-open; undefined when none, or several, were asked for: then all are sent. */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): { readonly start: number; readonly stop: number } | "beyond" | undefined {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (asked === null || (asked[1] === "" && asked[2] === "")) return undefined;
  const [, first, last] = asked;
  if (first === "") {
    const count = Math.min(Number(last), bytes);
    return count === 0 ? "beyond" : { start: bytes - count, stop: bytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= bytes ? "beyond" : { start, stop: last === "" ? bytes : Math.min(Number(last) + 1, bytes) };
}
