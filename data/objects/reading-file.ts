/**
 * Reads an object of any length into a file, in several ranges at once, all of one version, and checks the whole as it lies
 * there.
 */
import { open, type FileHandle } from "node:fs/promises";
import { asWriteError } from "../durable.ts";
import { startChecksum, startPieces } from "./checksum.ts";
import { asError, StoreFault } from "./fault.ts";
import { persist, type Persistence } from "./patience.ts";
import { DOUBTS_MAX, readVerified, type Known, type Source } from "./reading.ts";
import { inLanes, lookAt, PIECE_BYTES } from "./reading-large.ts";
import type { FetchedObject, FetchOptions, Verified } from "./store.ts";

/** @throws {PeError} see `ObjectStore.fetch`. */
export async function fetchVerified(
  source: Source,
  task: Persistence,
  path: string,
  { ifVersion, objectBytes }: FetchOptions,
): Promise<FetchedObject> {
  const known = await lookAt(source, task, ifVersion);
  if (objectBytes !== undefined && known.bytes !== objectBytes)
    throw asError(new StoreFault("changed", `it has ${known.bytes} bytes, not ${objectBytes}`), task);
  const file = await open(path, "w+", 0o600).catch((error: unknown) => {
    throw asWriteError(error, path);
  });
  try {
    const found = await fetchUntilSure(source, task, known, { file, path });
    return { version: known.version, objectBytes: known.bytes, ...found };
  } finally {
    await file.close();
  }
}

interface Target {
  readonly file: FileHandle;
  readonly path: string;
}

type KnownObject = Known & { readonly version: string; readonly bytes: number };

async function fetchUntilSure(
  source: Source,
  task: Persistence,
  known: KnownObject,
  target: Target,
): Promise<{ verified: Verified; sha256: string }> {
  let earlier: string | undefined;
  let reason = "its bytes do not fit its checksum";
  for (let doubts = 0; doubts < DOUBTS_MAX;) {
    await fetchOnce(source, task, known, target);
    const { verified, sha256 } = await vouchForFile(source, task, known, target.file);
    if (verified !== "corrupt" && verified !== "nothing known") return { verified, sha256 };
    if (verified === "nothing known") {
      // Nothing vouches for these bytes: a second reading must give the same.
      if (earlier === sha256) return { verified: "twice", sha256 };
      if (earlier === undefined) {
        earlier = sha256;
        continue;
      }
      reason = "it reads differently each time";
    }
    earlier = undefined;
    doubts++;
  }
  throw asError(new StoreFault("corrupt", reason), task);
}

async function fetchOnce(
  source: Source,
  task: Persistence,
  { version, bytes: objectBytes }: KnownObject,
  { file, path }: Target,
): Promise<void> {
  const free: Uint8Array[] = [];
  await inLanes(task, Math.ceil(objectBytes / PIECE_BYTES), async (piece, signal) => {
    const start = piece * PIECE_BYTES;
    const range = { start, stop: Math.min(start + PIECE_BYTES, objectBytes) };
    const into = free.pop() ?? new Uint8Array(PIECE_BYTES);
    const { bytes } = await readVerified(source, { ...task, signal }, { range, ifVersion: version, objectBytes, into });
    for (let done = 0; done < bytes.byteLength;)
      done += await file.write(bytes, done, bytes.byteLength - done, start + done).then(
        ({ bytesWritten }) => bytesWritten,
        (error: unknown) => {
          throw asWriteError(error, path);
        },
      );
    free.push(into);
  });
}

/** As `vouch` does for bytes in memory; the SHA-256 beside it. */
async function vouchForFile(
  source: Source,
  task: Persistence,
  { checksum, isVersionOfPieces, version, bytes }: KnownObject,
  file: FileHandle,
): Promise<{ verified: Verified | "corrupt" | "nothing known"; sha256: string }> {
  const digest = startChecksum("sha256");
  const stored = checksum === undefined || checksum.algorithm === "sha256" ? digest : startChecksum(checksum.algorithm);
  const pieces = checksum === undefined && isVersionOfPieces ? startPieces(version, bytes) : [];
  await feed(file, bytes, [...new Set([digest, stored]), ...pieces]);
  const sha256 = digest.hex();
  if (checksum !== undefined) {
    const hex = stored === digest ? sha256 : stored.hex();
    return { verified: hex === checksum.hex ? checksum.algorithm : "corrupt", sha256 };
  }
  if (pieces.some((running) => running.fits())) return { verified: "pieces", sha256 };
  if (isVersionOfPieces) {
    const pieceBytes = await persist(task, async () => await source.pieceBytes(task.signal));
    if (pieceBytes !== undefined) {
      const told = startPieces(version, bytes, pieceBytes);
      await feed(file, bytes, told);
      return { verified: told.some((running) => running.fits()) ? "pieces" : "corrupt", sha256 };
    }
  }
  return { verified: source.isCarrierSafe ? "carrier" : "nothing known", sha256 };
}

const FEED_BYTES = 4 * 2 ** 20;

async function feed(
  file: FileHandle,
  bytes: number,
  running: readonly { update(bytes: Uint8Array): void }[],
): Promise<void> {
  const memory = new Uint8Array(Math.min(FEED_BYTES, bytes));
  for (let start = 0; start < bytes;) {
    const { bytesRead } = await file.read(memory, 0, Math.min(memory.byteLength, bytes - start), start);
    if (bytesRead === 0) throw new Error(`the file became shorter: ${start} of ${bytes} bytes`);
    for (const each of running) each.update(memory.subarray(0, bytesRead));
    start += bytesRead;
  }
}
