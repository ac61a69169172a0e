/**
 * Reads an object so that no wrong byte is accepted, whatever the network and the server do.
 *
 * The first answer fixes version and length; every later one must be of the same. What breaks off is taken up where it
 * broke off, by a range of that version. Status, place and length of each answer are compared with what was asked for,
 * and the whole with the checksum that the store keeps; what does not fit is read again, from the start where the bytes
 * themselves are in doubt.
 */
import { hash } from "node:crypto";
import { PeError } from "../../common/errors.ts";
import { fits, fitsPieces, type Checksum } from "./checksum.ts";
import { StoreFault } from "./fault.ts";
import { persist, type Persistence, type Try } from "./patience.ts";
import { memoryFor, type ObjectContent, type ReadOptions, type Verified } from "./store.ts";
import { drain, type Body } from "./watchdog.ts";

/** How often bytes come that cannot be right before the object is given up. */
export const DOUBTS_MAX = 3;

/** What a store tells of an object beside its bytes. */
export interface Known {
  readonly version: string | undefined;
  readonly checksum: Checksum | undefined;
  /** The version may be a checksum of the pieces that the object was uploaded in. */
  readonly isVersionOfPieces: boolean;
}

/** An answer to a GET, before its body. */
export interface Opened extends Known {
  readonly status: number;
  /** Of the body, where announced. */
  readonly bodyBytes: number | undefined;
  /** As the answer says what it holds: half-open, and the bytes of the whole object where told. */
  readonly range:
    { readonly start: number; readonly stop: number; readonly objectBytes: number | undefined } | undefined;
  readonly body: Body;
}

export interface Source {
  /** @throws {StoreFault} @param range Half-open; without it the whole object. */
  open(
    range: { readonly start: number; readonly stop: number } | undefined,
    ifVersion: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Opened>;
  /** For what an answer does not say. @throws {StoreFault} */
  look(signal: AbortSignal | undefined): Promise<Known & { readonly bytes: number }>;
  /** Size of the pieces it was uploaded in, where the store tells. @throws {StoreFault} */
  pieceBytes(signal: AbortSignal | undefined): Promise<number | undefined>;
  /** What carries the bytes cannot alter them unseen: TLS. */
  readonly isCarrierSafe: boolean;
}

/** @throws {PeError} see `ObjectStore.read`. */
export async function readVerified(source: Source, task: Persistence, options: ReadOptions): Promise<ObjectContent> {
  const reading = new Reading(source, task, options);
  return await persist(task, async (attempt) => await reading.goOn(attempt));
}

class Reading {
  readonly #source: Source;
  readonly #task: Persistence;
  readonly #range: ReadOptions["range"];
  readonly #into: Uint8Array | undefined;

  #version: string | undefined;
  #objectBytes: number | undefined;
  #known: Known | undefined;
  /** What is to be read; undefined until its length is known. */
  #memory: Uint8Array | undefined;
  /** Bytes of `#memory` that are there. */
  #filled = 0;
  #doubts = 0;
  /** SHA-256 of an earlier reading that nothing vouches for. */
  #earlier: string | undefined;

  constructor(source: Source, task: Persistence, { range, ifVersion, objectBytes, into }: ReadOptions) {
    this.#source = source;
    this.#task = task;
    this.#range = range;
    this.#into = into;
    this.#version = ifVersion;
    this.#objectBytes = objectBytes;
  }

  /** Reads what is still missing; called again after each fault. */
  async goOn(attempt: Try): Promise<ObjectContent> {
    const range = this.#missing();
    const opened = await this.#open(range);
    if (opened === undefined) return this.#content("range");
    try {
      await this.#accept(opened, range);
      await this.#fill(opened, range, attempt);
    } finally {
      opened.body.destroy();
    }
    if (this.#range !== undefined) return this.#content("range");
    const verified = await this.#verify();
    // Nothing vouches for these bytes yet: a second reading will.
    return verified === undefined
      ? await this.goOn(attempt)
      : { ...this.#content(verified), ...this.#digest(verified) };
  }

  /** Undefined for a range that begins behind the end, or has no bytes, which no server can be asked for. */
  async #open(range: { start: number; stop: number } | undefined): Promise<Opened | undefined> {
    const { signal } = this.#task;
    if (range === undefined || range.start < range.stop)
      try {
        return await this.#source.open(range, this.#version, signal);
      } catch (error) {
        if (!(error instanceof StoreFault && error.kind === "out of range")) throw error;
      }
    const { version, bytes } = await this.#source.look(signal);
    this.#fix(version, bytes);
    if (range !== undefined && range.start < Math.min(range.stop, bytes))
      throw new StoreFault("passing", `it denies to have the bytes from ${range.start} on, of ${bytes}`);
    this.#memory ??= memoryFor(this.#task.where, 0, this.#into);
    return undefined;
  }

  /** The range to ask for; undefined is the whole object. */
  #missing(): { start: number; stop: number } | undefined {
    if (this.#range === undefined && this.#filled === 0) return undefined;
    const start = this.#range?.start ?? 0;
    const stop = this.#memory === undefined ? this.#range!.stop : start + this.#memory.byteLength;
    return { start: start + this.#filled, stop };
  }

  /** Compares the head of an answer with what was asked for, and with what is known of the object. */
  async #accept(opened: Opened, range: { start: number; stop: number } | undefined): Promise<void> {
    const told = opened.status === 206 ? opened.range?.objectBytes : opened.bodyBytes;
    const objectBytes = told ?? this.#objectBytes ?? (await this.#source.look(this.#task.signal)).bytes;
    if (opened.status === 206) refuseWrongRange(opened, range, objectBytes);
    else if (opened.status !== 200) throw new StoreFault("passing", `it answers with status ${opened.status}`);
    this.#fix(opened.version, objectBytes);
    if (this.#known?.checksum === undefined) this.#known = opened;
    this.#memory ??= memoryFor(this.#task.where, this.#lengthOf(objectBytes), this.#into);
  }

  /** Version and length are fixed by the caller or the first answer. */
  #fix(version: string | undefined, objectBytes: number): void {
    if (version === undefined) throw new StoreFault("passing", "the answer does not say which version it is of");
    if (this.#version !== undefined && version !== this.#version)
      throw new StoreFault("changed", `it is another version now (${version}, not ${this.#version})`);
    if (this.#objectBytes !== undefined && objectBytes !== this.#objectBytes)
      throw this.#version === undefined
        ? new StoreFault("changed", `it has ${objectBytes} bytes, not ${this.#objectBytes}`)
        : new StoreFault("passing", `the answer is of ${objectBytes} bytes, not ${this.#objectBytes}`);
    this.#version = version;
    this.#objectBytes = objectBytes;
  }

  #lengthOf(objectBytes: number): number {
    if (this.#range === undefined) return objectBytes;
    return Math.max(0, Math.min(this.#range.stop, objectBytes) - this.#range.start);
  }

  async #fill(opened: Opened, range: { start: number; stop: number } | undefined, attempt: Try): Promise<void> {
    const memory = this.#memory!;
    // A server that ignores the range sends everything: what comes before is passed over.
    let skip = opened.status === 206 ? 0 : (range?.start ?? 0);
    let beyond = opened.status === 206 ? 0 : this.#objectBytes! - skip - (memory.byteLength - this.#filled);
    const { patience, signal } = this.#task;
    await drain(opened.body, { idleMs: patience.idleMs, signal }, (piece) => {
      const skipped = Math.min(skip, piece.byteLength);
      skip -= skipped;
      const taken = Math.min(piece.byteLength - skipped, memory.byteLength - this.#filled);
      memory.set(piece.subarray(skipped, skipped + taken), this.#filled);
      this.#filled += taken;
      if (taken > 0) attempt.progress();
      beyond -= piece.byteLength - skipped - taken;
      if (beyond < 0) throw this.#doubt("the answer is longer than it said");
    });
    if (this.#filled < memory.byteLength)
      throw new StoreFault("passing", `the answer ended after ${this.#filled} of ${memory.byteLength} bytes`);
    if (beyond > 0) throw new StoreFault("passing", "the answer ended early");
  }

  /** How the whole object was found to be right; undefined when it must be read a second time. */
  async #verify(): Promise<Verified | undefined> {
    const memory = this.#memory!;
    const finding = await vouch(this.#source, this.#known!, memory, this.#task.signal);
    if (finding === "corrupt") throw this.#doubt("its bytes do not fit its checksum");
    if (finding !== "nothing known") return finding;
    const sha256 = hash("sha256", memory, "hex");
    if (this.#earlier === sha256) return "twice";
    if (this.#earlier !== undefined) throw this.#doubt("it reads differently each time");
    this.#earlier = sha256;
    this.#filled = 0;
    return undefined;
  }

  /** What is there already is in doubt too. */
  #doubt(reason: string): StoreFault {
    this.#filled = 0;
    this.#earlier = undefined;
    this.#doubts++;
    return new StoreFault(this.#doubts < DOUBTS_MAX ? "passing" : "corrupt", reason);
  }

  /** As far as it was computed anyway. */
  #digest(verified: Verified): { readonly sha256?: string } {
    const sha256 =
      verified === "twice" ? this.#earlier : verified === "sha256" ? this.#known!.checksum!.hex : undefined;
    return sha256 === undefined ? {} : { sha256 };
  }

  #content(verified: Verified): ObjectContent {
    return { bytes: this.#memory!, version: this.#version!, objectBytes: this.#objectBytes!, verified };
  }
}

/** How the bytes of a whole object are found to be right, by what the store keeps of it. */
export async function vouch(
  source: Source,
  { version, checksum, isVersionOfPieces }: Known,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Verified | "corrupt" | "nothing known"> {
  if (checksum !== undefined) return fits(checksum, bytes) ? checksum.algorithm : "corrupt";
  if (isVersionOfPieces && version !== undefined) {
    if (fitsPieces(version, bytes)) return "pieces";
    const pieceBytes = await source.pieceBytes(signal);
    if (pieceBytes !== undefined) return fitsPieces(version, bytes, pieceBytes) ? "pieces" : "corrupt";
  }
  return source.isCarrierSafe ? "carrier" : "nothing known";
}

function refuseWrongRange(
  opened: Opened,
  asked: { start: number; stop: number } | undefined,
  objectBytes: number,
): void {
  const { range, bodyBytes } = opened;
  if (asked === undefined) throw new StoreFault("passing", "it answers with a part where the whole was asked for");
  if (range === undefined) throw new StoreFault("passing", "it does not say which bytes it answers with");
  const stop = Math.min(asked.stop, objectBytes);
  if (range.start !== asked.start || range.stop !== stop)
    throw new StoreFault(
      "passing",
      `it answers with bytes ${range.start} to ${range.stop} where ${asked.start} to ${stop} were asked for`,
    );
  if (bodyBytes !== undefined && bodyBytes !== stop - asked.start)
    throw new StoreFault("passing", `it announces ${bodyBytes} bytes for a range of ${stop - asked.start}`);
}

/** @throws {PeError} `PE_PARAMETER` unless it is a half-open range of an object. */
export function assertRange(where: string, { start, stop }: { start: number; stop: number }): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(stop) && 0 <= start && start <= stop) return;
  throw new PeError("PE_PARAMETER", `Cannot read bytes ${start} to ${stop} of ${where}: that is no range`);
}
