/** Ends what says nothing: an answer that does not come, a body that stops. */
import { StoreFault } from "./fault.ts";

/** Fewer bytes than this within the time count as silence, or a server could trickle for ever. */
const TRICKLE_BYTES = 4096;

/**
 * What `act` resolves to, unless that takes longer than `idleMs`; then `signal` is aborted and the fault thrown,
 * whether `act` heeds it or not.
 */
export async function answeredWithin<Result>(
  idleMs: number,
  outer: AbortSignal | undefined,
  act: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ending = new AbortController();
  const signal = outer === undefined ? ending.signal : AbortSignal.any([ending.signal, outer]);
  return await new Promise<Result>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new StoreFault("passing", `nothing was heard for ${idleMs} ms`));
      ending.abort();
    }, idleMs);
    act(signal)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** What ends a body: destroys its connection. */
export interface Body extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void;
}

/**
 * Hands each piece of `body` to `take`, to its end.
 *
 * @throws {StoreFault} `passing` when fewer than 4096 bytes come within `idleMs`, or the connection breaks. The body is
 * destroyed then, and when `take` throws.
 */
export async function drain(
  body: Body,
  { idleMs, signal }: { idleMs: number; signal: AbortSignal | undefined },
  take: (piece: Uint8Array) => void,
): Promise<void> {
  let fault: Error | undefined;
  let unseen = 0;
  const end = (error: Error): void => {
    fault ??= error;
    body.destroy(error);
  };
  const timer = setTimeout(
    () => end(new StoreFault("passing", `its bytes stopped coming: nothing was heard for ${idleMs} ms`)),
    idleMs,
  );
  const onAbort = (): void => end(signal!.reason as Error);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const piece of body) {
      unseen += piece.byteLength;
      if (unseen >= TRICKLE_BYTES) {
        unseen = 0;
        timer.refresh();
      }
      try {
        take(piece);
      } catch (error) {
        // Not of the connection.
        fault ??= error as Error;
        throw error;
      }
    }
  } catch (error) {
    body.destroy();
    fault ??= broken(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
  if (fault !== undefined) throw fault;
}

function broken(error: unknown): StoreFault {
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreFault("passing", `the connection broke (${reason})`, { cause: error });
}
