/**
 * Sends the shards of a job to the store of its parts, for workers that cannot see them. What is there is not sent again,
 * so a stopped upload goes on where it was.
 */
import { counted } from "../../common/counted.ts";
import { PeError } from "../../common/errors.ts";
import { inLanes } from "../../common/lanes.ts";
import type { InputFile } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import type { PartStore } from "../../data/part-store.ts";
import { hashFile, missingPieces, sendFile, UPLOAD_BYTES_MAX, uploadedRoot } from "../../data/uploads.ts";
import { jobOf, type PeJob } from "../../tasks/pe/plan.ts";

/** Of a file each: bounds memory, and what a scheduler has to receive at a time. */
const FILES_AT_ONCE = 4;
/** A store that shares its disk with the scheduler's journal must not fill it. */
const SPARE_BYTES = 64 * 2 ** 20;

export interface UploadProgress {
  readonly doing: "hashing" | "uploading";
  readonly bytes: number;
  readonly totalBytes: number;
  /** Of `bytes`, those that the store had. */
  readonly thereBytes: number;
  readonly file: string;
}

export interface Uploading {
  /** Reads what the store has, where tasks have failed over it. */
  readonly verifies?: boolean;
  /** Stops; what was sent stays. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: UploadProgress) => void;
}

/** The files that a job computes from, by their place in the manifest's list. */
function filesOf({ manifest: { tasks, source } }: PeJob): Map<number, InputFile> {
  return new Map(tasks.map(([ordinal]) => [ordinal, source.files[ordinal]!]));
}

/** What an upload would send at most. */
export function uploadSize(job: PeJob): { readonly files: number; readonly bytes: number } {
  const files = [...filesOf(job).values()];
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** @throws {PeError} `PE_PARAMETER` when there is nothing on this machine to send, or a file is too large. */
export function checkUpload(job: PeJob): void {
  const { root } = job.manifest.source;
  if (isS3Url(root))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot upload "${root}": workers read it from S3 themselves; leave --upload out`,
    );
  for (const { name, bytes } of filesOf(job).values())
    if (bytes > UPLOAD_BYTES_MAX)
      throw new PeError(
        "PE_PARAMETER",
        `Cannot upload "${name}": it has ${bytes} bytes, more than ${UPLOAD_BYTES_MAX}`,
      );
}

/**
 * The same job, whose tasks read its files from the store of its parts. Hashes them. Its id is that of the job that reads them
 * in their place: the same is computed.
 *
 * @param root That the scheduler knows the job by, where it knows it.
 * @throws {PeError} `PE_INPUT_CHANGED`, `PE_SHARD_UNREADABLE`; `PE_INTERRUPTED`
 */
export async function uploadedJob(job: PeJob, { signal, onProgress }: Uploading, root?: string): Promise<PeJob> {
  const { manifest } = job;
  const { bytes: totalBytes } = uploadSize(job);
  let bytes = 0;
  const hashed = await inLanes([...filesOf(job)], FILES_AT_ONCE, async ([ordinal, file]) => {
    const sha256 = await stopping(signal, job, async () => await hashFile(file, signal));
    bytes += file.bytes;
    onProgress?.({ doing: "hashing", bytes, totalBytes, thereBytes: 0, file: file.name });
    return [ordinal, sha256] as const;
  });
  const hashes = new Map(hashed);
  const files = manifest.source.files.map((file, ordinal) => {
    const version = hashes.get(ordinal);
    return version === undefined ? file : { ...file, version };
  });
  const source = { ...manifest.source, root: root ?? uploadedRoot(manifest.source.root), files };
  return { ...job, ...jobOf({ ...manifest, source }) };
}

/**
 * Sends what the store has not got of a job's files.
 *
 * @param job As `uploadedJob` gives it.
 * @returns Bytes that were sent.
 * @throws {PeError} `PE_DISK_FULL` when the store has no room, before anything is sent where it tells; `PE_INPUT_CHANGED`,
 *   `PE_INTERRUPTED`, and what the store throws
 */
export async function uploadFiles(
  store: PartStore,
  job: PeJob,
  { verifies = false, signal, onProgress }: Uploading,
): Promise<number> {
  const files = [...filesOf(job).values()];
  const { bytes: totalBytes } = uploadSize(job);
  await refuseWithoutRoom(store, job, files);
  let [sent, there] = [0, 0];
  await inLanes(files, FILES_AT_ONCE, async (file) => {
    const onPiece = (bytes: number, isSent: boolean): void => {
      if (isSent) sent += bytes;
      else there += bytes;
      onProgress?.({ doing: "uploading", bytes: sent + there, totalBytes, thereBytes: there, file: file.name });
    };
    const sending = { onPiece, verifies, ...(signal !== undefined && { signal }) };
    await stopping(signal, job, async () => await sendFile(store, file, file.version!, sending));
  });
  return sent;
}

/** Looks for the whole of what is to be sent where the store says how much it takes. */
async function refuseWithoutRoom(store: PartStore, job: PeJob, files: readonly InputFile[]): Promise<void> {
  const free = await store.freeBytes?.();
  const { bytes: most } = uploadSize(job);
  if (free === undefined || most + SPARE_BYTES <= free) return;
  let needed = 0;
  for (const file of files) for (const { start, stop } of await missingPieces(store, file)) needed += stop - start;
  if (needed === 0 || needed + SPARE_BYTES <= free) return;
  throw new PeError(
    "PE_DISK_FULL",
    `Cannot upload ${counted(files.length, "file")} to ${store.url}: ${needed} bytes are to be sent, and its disk has ` +
      `${free} bytes free, of which ${SPARE_BYTES} are left to the rest; make room there (pe-client release frees what ended jobs ` +
      `have there), name another store (--parts), or submit some of the shards (--shards)`,
    { details: { neededBytes: needed, freeBytes: free } },
  );
}

async function stopping<Result>(
  signal: AbortSignal | undefined,
  { id }: PeJob,
  act: () => Promise<Result>,
): Promise<Result> {
  try {
    signal?.throwIfAborted();
    return await act();
  } catch (error) {
    if (signal?.aborted !== true || error instanceof PeError) throw error;
    throw new PeError(
      "PE_INTERRUPTED",
      `Stopped the upload of job ${id}; what was sent stays: the same command goes on, pe-client release ${id} frees it`,
      { details: { job: id } },
    );
  }
}
