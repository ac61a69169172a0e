/** Who may open a connection: tokens in the `Authorization` header of the request that becomes one. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Longer ones are refused unread. */
const TOKEN_LENGTH_MAX = 512;

/** The header that carries a token. */
export function authorization(token: string): string {
  return `Bearer ${token}`;
}

/** The token of an `Authorization` header; undefined when there is none. */
export function tokenOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length > TOKEN_LENGTH_MAX) return undefined;
  return /^Bearer ([\x21-\x7e]+)$/i.exec(header)?.[1];
}

/**
 * Whether the token is one of those. Takes the same time whichever it is and wherever it differs: hashes are compared,
 * each of them, to the end.
 */
export function isTokenOf(token: string, tokens: readonly string[]): boolean {
  const given = hash(token);
  let found = false;
  for (const one of tokens) if (timingSafeEqual(given, hash(one))) found = true;
  return found;
}

function hash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/**
 * What opens the values of one job at the workers that hold them: 64 hexadecimal digits. Workers make it themselves, a client
 * is told it with the place of a value.
 */
export function valueToken(workerToken: string, jobId: string): string {
  return createHmac("sha256", workerToken).update("values of job ").update(jobId).digest("hex");
}
