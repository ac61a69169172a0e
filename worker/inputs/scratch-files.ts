/**
 * Files for objects that are too large for memory, in a folder of this process: made with the first of them, removed at the
 * end. What a killed process leaves goes when the next one makes its own beside it.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InputFile } from "../../data/inputs.ts";
import { makeScratchFolder } from "../../data/scratch-folder.ts";
import { isRemote } from "../../data/uploads.ts";
import { CONTENT_BYTES_MAX } from "./content-reader.ts";
import type { ContentFiles } from "./content-wanted.ts";

/** Of a disk that others use too. */
const FILES_BYTES_MAX = 16 * 2 ** 30;
const PREFIX = "pe-inputs-";

export interface ScratchOptions {
  /** Where the folder is made; that of the system for temporary files by default. */
  readonly parent?: string | undefined;
  readonly bytesMax?: number | undefined;
  /** A larger object becomes a file. */
  readonly memoryBytesMax?: number | undefined;
}

export class ScratchFiles implements ContentFiles {
  readonly bytesMax: number;
  readonly #parent: string;
  readonly #memoryBytesMax: number;
  #folder: string | undefined;
  #count = 0;

  constructor({
    parent = tmpdir(),
    bytesMax = FILES_BYTES_MAX,
    memoryBytesMax = CONTENT_BYTES_MAX,
  }: ScratchOptions = {}) {
    this.bytesMax = bytesMax;
    this.#parent = parent;
    this.#memoryBytesMax = memoryBytesMax;
  }

  takes({ path, bytes }: InputFile): boolean {
    return bytes > this.#memoryBytesMax && isRemote(path);
  }

  newPath(): string {
    this.#folder ??= makeScratchFolder(this.#parent, PREFIX);
    return join(this.#folder, `${this.#count++}.hdf5`);
  }

  remove(path: string): void {
    rmSync(path, { force: true });
  }

  /** Removes all. */
  close(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }
}
