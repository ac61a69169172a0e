/** What the journal needs of a file system; tests give one that fails. */
import { constants, writeSync } from "node:fs";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { makeFolders } from "../../data/folders.ts";

export interface JournalFile {
  /** Writes from `offset` of `bytes` at `position` of the file; fewer bytes than asked may be written. */
  write(bytes: Uint8Array, offset: number, position: number): Promise<number>;
  /** Data and size are on the disk when it resolves. */
  dataSync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface JournalFiles {
  makeFolder(folder: string): Promise<void>;
  /** Names in the folder. */
  list(folder: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  /** Opens a new empty file, in place of one that has the name, or one that is there. */
  open(path: string, how: "new" | "existing"): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Names in the folder are on the disk when it resolves. */
  syncFolder(folder: string): Promise<void>;
}

export const realFiles: JournalFiles = {
  async makeFolder(folder) {
    await makeFolders(folder, 0o700);
  },
  list: (folder) => readdir(folder),
  read: (path) => readFile(path),
  async open(path, how) {
    const { O_RDWR, O_CREAT, O_TRUNC } = constants;
    return fileOf(await open(path, how === "new" ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR, 0o600));
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncFolder(folder) {
    // Windows cannot open a folder; its renames are durable with the file.
    if (process.platform === "win32") return;
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Into the system's memory these go in microseconds; to give them to a thread and be woken costs more than all the rest. */
const WRITTEN_AT_ONCE_BYTES_MAX = 64 << 10;

function fileOf(handle: FileHandle): JournalFile {
  return {
    async write(bytes, offset, position) {
      const length = bytes.byteLength - offset;
      if (length <= WRITTEN_AT_ONCE_BYTES_MAX) return writeSync(handle.fd, bytes, offset, length, position);
      return (await handle.write(bytes, offset, length, position)).bytesWritten;
    },
    dataSync: () => handle.datasync(),
    truncate: (bytes) => handle.truncate(bytes),
    close: () => handle.close(),
  };
}

/** Writes all of `bytes` at `position`, in as many pieces as the file system takes. */
export async function writeAll(file: JournalFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength;) {
    const written = await file.write(bytes, offset, position + offset);
    if (written === 0) throw new Error("the file system takes no more bytes and does not say why");
    offset += written;
  }
}

/** A new file that is there whole and durable, or not at all. The next piece is asked for when one is written. */
export async function createDurably(
  files: JournalFiles,
  folder: string,
  path: string,
  pieces: Iterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}${TEMPORARY}`;
  const file = await files.open(temporary, "new");
  try {
    let position = 0;
    for (const piece of pieces) {
      await writeAll(file, piece, position);
      position += piece.byteLength;
    }
    await file.dataSync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  await files.syncFolder(folder);
}

/** End of the names of files that are being made. */
export const TEMPORARY = ".tmp";
