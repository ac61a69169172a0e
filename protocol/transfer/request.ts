/**
 * What needer and holder say to each other before the bytes: one request, one answer, over and over on one connection.
 *
 * ```
 * request  magic u32 | task u32 | id bytes u32 | token 32 | id (UTF-8)
 * answer   magic u32 | status u32 | bytes u64 | stream of pieces, where status is "value"
 * ```
 *
 * Little-endian. The token is of the job that the id names, and nothing else is looked at before it.
 */
import { PeError } from "../../common/errors.ts";
import { VALUE_BYTES_MAX, type ValueName } from "../held-values.ts";

/** "PEV1", also the version of all this. */
const MAGIC = 0x3156_4550;

export const TOKEN_BYTES = 32;
export const REQUEST_HEAD_BYTES = 12 + TOKEN_BYTES;
/** Of a job's id of 256 characters. */
export const ID_BYTES_MAX = 768;
export const REQUEST_BYTES_MAX = REQUEST_HEAD_BYTES + ID_BYTES_MAX;
export const ANSWER_BYTES = 16;

/** Places are what travels. */
const STATUSES = ["value", "gone", "refused", "busy"] as const;
/** `gone`: it has no such value. `refused`: the token does not open it. `busy`: it has all the connections that it takes. */
export type AnswerStatus = (typeof STATUSES)[number];

/** @throws {PeError} `PE_LIMIT`, `PE_ACCESS` */
export function encodeRequest({ id, task }: ValueName, token: string): Buffer {
  const idBytes = Buffer.from(id, "utf8");
  if (idBytes.byteLength > ID_BYTES_MAX)
    throw new PeError("PE_LIMIT", `Cannot ask for a value: the id of its job has more than ${ID_BYTES_MAX} bytes`);
  const tokenBytes = readToken(token);
  if (tokenBytes === undefined)
    throw new PeError("PE_ACCESS", "Cannot ask for a value: its token is not 64 hexadecimal digits");
  const request = Buffer.alloc(REQUEST_HEAD_BYTES + idBytes.byteLength);
  request.writeUInt32LE(MAGIC, 0);
  request.writeUInt32LE(task, 4);
  request.writeUInt32LE(idBytes.byteLength, 8);
  tokenBytes.copy(request, 12);
  idBytes.copy(request, REQUEST_HEAD_BYTES);
  return request;
}

/** Bytes of a token; undefined when it is none. */
export function readToken(token: string): Buffer | undefined {
  return /^[0-9a-f]{64}$/.test(token) ? Buffer.from(token, "hex") : undefined;
}

export interface Request extends ValueName {
  readonly token: Uint8Array;
  /** Of the request itself. */
  readonly bytes: number;
}

/**
 * Reads a request from the bytes that have come.
 *
 * @returns Undefined while it is not whole.
 * @throws {PeError} `PE_PROTOCOL` as soon as they cannot become one.
 */
export function decodeRequest(come: Buffer): Request | undefined {
  if (come.byteLength >= 4 && come.readUInt32LE(0) !== MAGIC) throw foreign("a request");
  if (come.byteLength < REQUEST_HEAD_BYTES) return undefined;
  const idBytes = come.readUInt32LE(8);
  if (idBytes > ID_BYTES_MAX) throw foreign("a request");
  const bytes = REQUEST_HEAD_BYTES + idBytes;
  if (come.byteLength < bytes) return undefined;
  return {
    task: come.readUInt32LE(4),
    token: come.subarray(12, REQUEST_HEAD_BYTES),
    id: come.toString("utf8", REQUEST_HEAD_BYTES, bytes),
    bytes,
  };
}

export function encodeAnswer(status: AnswerStatus, bytes = 0): Buffer {
  const answer = Buffer.alloc(ANSWER_BYTES);
  answer.writeUInt32LE(MAGIC, 0);
  answer.writeUInt32LE(STATUSES.indexOf(status), 4);
  answer.writeBigUInt64LE(BigInt(bytes), 8);
  return answer;
}

/** @throws {PeError} `PE_PROTOCOL` */
export function decodeAnswer(answer: Buffer): { readonly status: AnswerStatus; readonly bytes: number } {
  const status = STATUSES[answer.readUInt32LE(4)];
  const bytes = Number(answer.readBigUInt64LE(8));
  if (answer.readUInt32LE(0) !== MAGIC || status === undefined || bytes > VALUE_BYTES_MAX) throw foreign("an answer");
  return { status, bytes };
}

function foreign(what: string): PeError {
  return new PeError("PE_PROTOCOL", `Cannot read ${what} about a value: it is not of this version of the program`);
}
