/** How the disk of the scheduler's own store of parts is: part of `/health`. */
import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { errnoOf } from "../data/errno.ts";

export interface PartsHealth {
  /** `full`: parts are refused until there is room. `missing`: its folder is gone, such as with a disk that is not mounted. */
  readonly status: "ok" | "full" | "missing" | "unwritable";
  /** For whoever the scheduler runs as; absent where it cannot be told. */
  readonly bytesFree?: number;
}

/** With less than this even a small part may not fit. */
const ROOM_BYTES_MIN = 64 << 10;

export class PartRoom {
  readonly #folder: string;
  /** Size of the last part for which there was no room. */
  #refusedBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A part found no room. */
  refused(bytes: number): void {
    this.#refusedBytes = bytes;
  }

  /** A part was stored. */
  stored(): void {
    this.#refusedBytes = 0;
  }

  async health(): Promise<PartsHealth> {
    try {
      await access(this.#folder, constants.W_OK | constants.X_OK);
      const { bavail, bsize, ffree, files } = await statfs(this.#folder);
      const bytesFree = bavail * bsize;
      const isFull = bytesFree < Math.max(ROOM_BYTES_MIN, this.#refusedBytes) || (files > 0 && ffree === 0);
      return { status: isFull ? "full" : "ok", bytesFree };
    } catch (error) {
      const code = errnoOf(error);
      return { status: code === "ENOENT" || code === "ENOTDIR" ? "missing" : "unwritable" };
    }
  }
}
