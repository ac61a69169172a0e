/** The end of a journal: frames go to its last segment, and a new one follows when that is large or a snapshot is made. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Batch } from "./batch.ts";
import { createDurably, writeAll, type JournalFile, type JournalFiles } from "./files.ts";
import { encodeHead, fileName, HEAD_BYTES } from "./framing.ts";
import type { Segment, SegmentEnd } from "./recovery.ts";

/** A sync that failed: nobody knows what is on the disk, and the next one would not tell. */
export class SyncFailure extends Error {
  override readonly name = "SyncFailure";
}

export class SegmentWriter {
  readonly #files: JournalFiles;
  readonly #folder: string;
  readonly #content: number;
  /** In order; the last is written to. */
  readonly #segments: Segment[];
  #file: JournalFile | undefined;
  #position = 0;
  #salt = 0;
  /** Of the last segment. */
  #contentThere = 0;

  constructor(files: JournalFiles, folder: string, content: number, segments: readonly Segment[]) {
    this.#files = files;
    this.#folder = folder;
    this.#content = content;
    this.#segments = [...segments];
  }

  /** Of the segment that is written to. */
  get bytes(): number {
    return this.#position;
  }

  /**
   * Goes on with the last segment, without its torn tail. Its last frame is written once more: if a sync failed and the
   * process ended, that frame can be read from the system's memory and yet not be on the disk, and no sync would tell.
   */
  async reopen({ content, wholeBytes, salt, isTorn, lastFrame }: SegmentEnd): Promise<void> {
    const file = await this.#files.open(this.#segments.at(-1)!.path, "existing");
    this.#file = file;
    this.#position = wholeBytes;
    this.#salt = salt;
    this.#contentThere = content;
    if (isTorn) await file.truncate(wholeBytes);
    await writeAll(file, lastFrame, wholeBytes - lastFrame.byteLength);
    await file.dataSync();
  }

  /** The next frame, of record `first`, opens a new segment. Nothing has changed when it throws. */
  async beginSegment(first: number): Promise<void> {
    const isEmpty = this.#segments.at(-1)?.first === first;
    if (isEmpty && this.#file !== undefined && this.#contentThere === this.#content) return;
    const path = join(this.#folder, fileName("segment", first));
    const salt = randomBytes(4).readUInt32LE();
    const head = encodeHead("segment", { content: this.#content, sequence: first, salt });
    await createDurably(this.#files, this.#folder, path, [head]);
    const file = await this.#files.open(path, "existing");
    await this.#file?.close();
    this.#file = file;
    this.#position = HEAD_BYTES;
    this.#salt = salt;
    this.#contentThere = this.#content;
    // An empty one of an older version has made way for it.
    if (!isEmpty) this.#segments.push({ path, first });
  }

  /**
   * The batch is on the disk when it resolves. It may be tried again when writing failed.
   *
   * @throws {SyncFailure} It may not be tried again.
   */
  async write(batch: Batch, first: number): Promise<void> {
    const frame = batch.seal(first, this.#salt);
    await writeAll(this.#file!, frame, this.#position);
    try {
      await this.#file!.dataSync();
    } catch (error) {
      throw new SyncFailure(`Cannot make the journal "${this.#folder}" durable: ${String(error)}`, { cause: error });
    }
    this.#position += frame.length;
  }

  /** Removes the segments whose records are all `upTo` or older. */
  async removeUpTo(upTo: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[1]!.first <= upTo + 1)
      await this.#files.remove(this.#segments.shift()!.path);
  }

  /** Marks that all was written: the last frame is then no torn tail, whatever it looks like. */
  async close(next: number, isComplete: boolean): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      if (!isComplete || this.#position === HEAD_BYTES) return;
      await writeAll(file, new Batch().seal(next, this.#salt), this.#position);
      await file.dataSync();
    } finally {
      await file.close();
    }
  }
}
