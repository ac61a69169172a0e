/** What a worker does when the scheduler asks for a value that somebody cannot fetch from it: it sends the stream there. */
import type { ClientRequest } from "node:http";
import { PeError } from "../../common/errors.ts";
import { streamBytes } from "./pieces.ts";
import { requestTo, VALUE_BYTES_HEADER, type RelayAccess } from "./relayed.ts";
import { sendPieces } from "./sending.ts";
import type { ServedValue } from "./served-value.ts";

/** Neither side takes a byte for so long. */
const SILENCE_MS = 15_000;

export interface Upload {
  readonly relay: RelayAccess;
  /** Under which the scheduler wants it. */
  readonly ticket: string;
  /** Undefined: this worker does not have it, which is said at once. Closed at the end. */
  readonly value: ServedValue | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The path of a ticket at the scheduler. */
export function ticketPath(ticket: string): string {
  return `/relay/${ticket}`;
}

/**
 * Resolves when the scheduler has all of it, or wants it no more.
 *
 * @throws {PeError} `PE_CONNECTION` when it cannot be sent; `PE_VALUE_UNREACHABLE` when it cannot be read here.
 */
export async function uploadValue({ relay, ticket, value, signal }: Upload): Promise<void> {
  try {
    const { target, request, options } = requestTo(relay, ticketPath(ticket));
    const headers = {
      ...options.headers,
      ...(value !== undefined && {
        "content-length": streamBytes(value.bytes),
        [VALUE_BYTES_HEADER]: value.bytes,
        "content-type": "application/octet-stream",
      }),
    };
    const sending = request(target, {
      ...options,
      headers,
      method: value === undefined ? "DELETE" : "PUT",
      agent: false,
      timeout: SILENCE_MS,
      ...(signal !== undefined && { signal }),
    });
    await send(sending, value);
  } finally {
    value?.close();
  }
}

async function send(sending: ClientRequest, value: ServedValue | undefined): Promise<void> {
  sending.setNoDelay(true);
  const answered = new Promise<number>((resolve, reject) => {
    sending.on("timeout", () => sending.destroy(new Error(`nothing moved for ${SILENCE_MS} ms`)));
    sending.on("error", reject);
    sending.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  const sent = value === undefined ? Promise.resolve() : sendAll(sending, value);
  let status: number;
  try {
    // Who is told before the end that nobody wants it sends no more.
    status = await Promise.race([answered, sent.then(() => (sending.end(), answered))]);
  } catch (error) {
    sending.destroy();
    await answered.catch(() => undefined);
    if (error instanceof PeError) throw error;
    throw new PeError("PE_CONNECTION", `Cannot send a value to the scheduler: ${(error as Error).message}`, {
      cause: error,
    });
  }
  sent.catch(() => undefined);
  if (!sending.writableFinished) sending.destroy();
  if (status >= 400 && status !== 404 && status !== 410)
    throw new PeError("PE_CONNECTION", `Cannot send a value to the scheduler: it answers with status ${status}`);
}

async function sendAll(sending: ClientRequest, value: ServedValue): Promise<void> {
  await sendPieces(sending, value, { turn: async () => undefined });
}
