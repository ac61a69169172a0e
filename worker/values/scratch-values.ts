/** Values as files in a folder of this process; what a killed one leaves goes when the next makes its own beside it. */
import { rmSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { asWriteError } from "../../data/durable.ts";
import { makeScratchFolder } from "../../data/scratch-folder.ts";
import {
  isPiece,
  PIECE_BYTES,
  pieceCount,
  PieceReader,
  pieceRange,
  streamBytes,
  TRAILER_BYTES,
  type Trailers,
} from "../../protocol/transfer/pieces.ts";
import { PIECES_UNDER_WAY_MAX, type ServedValue } from "../../protocol/transfer/served-value.ts";
import { allocateValue } from "../../protocol/transfer/value-memory.ts";

const PREFIX = "pe-values-";
/** Of a disk that others use too. */
const DISK_BYTES_MAX = 64 * 2 ** 30;

export interface ScratchValuesOptions {
  /** Where the folder is made; that of the system for temporary files by default. */
  readonly parent?: string | undefined;
  /** Of all files together; 64 GiB by default. */
  readonly diskBytesMax?: number | undefined;
}

/** One file. */
export interface ScratchValue {
  /** @throws {PeError} `PE_VALUE_DAMAGED`, `PE_LIMIT` */
  read(): Promise<SharedArrayBuffer>;
  /** Piece by piece, checked. @throws {PeError} `PE_VALUE_DAMAGED` */
  serve(): Promise<ServedValue>;
  /** Who has it open reads on. */
  remove(): void;
}

export class ScratchValues {
  readonly #parent: string;
  readonly #diskBytesMax: number;
  #folder: string | undefined;
  #count = 0;
  #bytes = 0;

  constructor({ parent = tmpdir(), diskBytesMax = DISK_BYTES_MAX }: ScratchValuesOptions) {
    this.#parent = parent;
    this.#diskBytesMax = diskBytesMax;
  }

  /** @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`; nothing is left then. */
  async write(blob: SharedArrayBuffer, trailers: Trailers): Promise<ScratchValue> {
    // What is given back below must not hold the memory that is to be given back.
    const { byteLength: valueBytes } = blob;
    const bytes = streamBytes(valueBytes);
    this.#folder ??= makeScratchFolder(this.#parent, PREFIX);
    const path = join(this.#folder, `${this.#count++}.value`);
    if (this.#bytes + bytes > this.#diskBytesMax)
      throw new PeError(
        "PE_DISK_FULL",
        `Cannot write "${path}": values on disk would have more than ${this.#diskBytesMax} bytes`,
      );
    this.#bytes += bytes;
    try {
      await writeStream(path, blob, trailers);
    } catch (error) {
      this.#bytes -= bytes;
      await rm(path, { force: true });
      throw asWriteError(error, path);
    }
    return {
      read: async () => await readValue(path, valueBytes),
      serve: async () => await serveFile(path, valueBytes),
      remove: () => {
        this.#bytes -= bytes;
        rmSync(path, { force: true });
      },
    };
  }

  /** Removes all. */
  close(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    this.#bytes = 0;
  }
}

async function writeStream(path: string, blob: SharedArrayBuffer, trailers: Trailers): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    for (let index = 0; index < pieceCount(blob.byteLength); index++) {
      const { start, stop } = pieceRange(index, blob.byteLength);
      const piece = new Uint8Array(blob, start, stop - start);
      await writeAll(file, [piece, trailers.of(index, piece)]);
    }
  } finally {
    await file.close();
  }
}

/** All of it: a call of the system may take less. */
async function writeAll(file: FileHandle, blocks: readonly Uint8Array[]): Promise<void> {
  const { bytesWritten } = await file.writev(blocks);
  let done = bytesWritten;
  for (const block of blocks) {
    if (done < block.byteLength) await file.writeFile(block.subarray(done));
    done = Math.max(0, done - block.byteLength);
  }
}

async function readValue(path: string, bytes: number): Promise<SharedArrayBuffer> {
  const file = await openValue(path, bytes);
  try {
    const target = allocateValue(bytes);
    const reader = new PieceReader(target);
    while (!reader.isDone) {
      const { bytesRead } = await file.read(reader.room());
      if (bytesRead === 0) throw new Error("it ends too early");
      reader.took(bytesRead);
    }
    return target;
  } catch (error) {
    throw damaged(path, error);
  } finally {
    await file.close();
  }
}

async function serveFile(path: string, bytes: number): Promise<ServedValue> {
  const file = await openValue(path, bytes);
  // Memory of its own for each piece would be collected much later.
  const blocks = Array.from({ length: Math.min(PIECES_UNDER_WAY_MAX, pieceCount(bytes)) }, () =>
    Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, bytes) + TRAILER_BYTES),
  );
  return {
    bytes,
    piece: async (index) => {
      const { start, stop } = pieceRange(index, bytes);
      const block = blocks[index % blocks.length]!.subarray(0, stop - start + TRAILER_BYTES);
      try {
        await readBlock(file, block, index * (PIECE_BYTES + TRAILER_BYTES));
        if (!isPiece(block.subarray(0, -TRAILER_BYTES), block.subarray(-TRAILER_BYTES)))
          throw new Error(`piece ${index} does not fit its checksum`);
      } catch (error) {
        throw damaged(path, error);
      }
      return [block];
    },
    // Nothing was written: there is nothing to lose.
    close: () => void file.close().catch(() => undefined),
  };
}

async function readBlock(file: FileHandle, block: Buffer, at: number): Promise<void> {
  for (let done = 0; done < block.byteLength;) {
    const { bytesRead } = await file.read(block, done, block.byteLength - done, at + done);
    if (bytesRead === 0) throw new Error("it ends too early");
    done += bytesRead;
  }
}

/** @throws {PeError} `PE_VALUE_DAMAGED` when it is not there, or not as long as it was. */
async function openValue(path: string, bytes: number): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { size } = await file.stat();
    if (size !== streamBytes(bytes)) throw new Error(`it has ${size} bytes, not ${streamBytes(bytes)}`);
    return file;
  } catch (error) {
    await file?.close();
    throw damaged(path, error);
  }
}

function damaged(path: string, error: unknown): PeError {
  if (error instanceof PeError) return error;
  return new PeError("PE_VALUE_DAMAGED", `Cannot read the value in "${path}": ${(error as Error).message}`, {
    cause: error,
  });
}
