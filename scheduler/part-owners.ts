/**
 * Which jobs need which part of the scheduler's own store: a part goes when the last of them was released.
 *
 * `.jobs/JOB/NAME` beside the parts, an empty file, says that a job has stored or found the part of this name. It is there
 * before the part is, and a folder of a job is renamed in one step when the job was released: so a crash at any moment leaves
 * a part too many, never one too few. What it leaves is removed when the scheduler starts again; parts of jobs that a
 * scheduler without their journal does not know stay.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, renameSync, unlinkSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { LogLine } from "../common/log.ts";
import { errnoOf } from "../data/errno.ts";
import { makeFolders } from "../data/folders.ts";

const FOLDER = ".jobs";
const RELEASED = "released-";

export class PartOwners {
  readonly #parts: string;
  readonly #folder: string;
  readonly #log: (line: LogLine) => void;
  /** Folders of jobs that need parts. */
  readonly #jobs = new Set<string>();
  /** Removals, one after the other. */
  #removing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(parts: string, log: (line: LogLine) => void) {
    this.#parts = parts;
    this.#folder = join(parts, FOLDER);
    this.#log = log;
  }

  /** Once, before anything else: learns who needs parts, and frees what released jobs left. */
  async open(): Promise<void> {
    for (const name of await entries(this.#folder))
      if (name.startsWith(RELEASED)) this.#remove(name);
      else this.#jobs.add(name);
  }

  /** The job needs the part from now on. Before the part is stored, or looked for. @throws {Error} of the file system */
  async own(job: string, part: string): Promise<void> {
    const name = nameOf(job);
    this.#jobs.add(name);
    const folder = join(this.#folder, name);
    const mark = async (): Promise<void> => await (await open(join(folder, part), "a", 0o600)).close();
    await mark().catch(async (error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error;
      await makeFolders(folder, 0o700);
      await mark();
    });
  }

  /** The job is gone, durably. What is stored for one of the same id from now on is that one's. */
  release(job: string): void {
    const name = nameOf(job);
    if (!this.#jobs.delete(name)) return;
    const released = `${RELEASED}${randomBytes(8).toString("hex")}`;
    try {
      renameSync(join(this.#folder, name), join(this.#folder, released));
      this.#remove(released);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#complain(error);
    }
  }

  /** Resolves when nothing is removed any more; what is left goes at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#removing;
  }

  #remove(name: string): void {
    this.#removing = this.#removing
      .then(async () => await this.#removeParts(join(this.#folder, name)))
      .catch((error: unknown) => this.#complain(error));
  }

  async #removeParts(folder: string): Promise<void> {
    for (const part of await entries(folder)) {
      if (this.#isClosed) return;
      // In one turn: nobody can come to need it in between, for whoever does says so before the part is stored.
      if (!this.#isNeeded(part)) unlinkIfThere(join(this.#parts, part));
      await turn();
    }
    await rm(folder, { recursive: true, force: true });
  }

  #isNeeded(part: string): boolean {
    for (const name of this.#jobs) if (existsSync(join(this.#folder, name, part))) return true;
    return false;
  }

  #complain(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#log({ level: "warn", text: `parts of a released job stay until the next start: ${reason}` });
  }
}

/** As a folder may be called, whatever the id. */
function nameOf(job: string): string {
  return createHash("sha256").update(job).digest("hex").slice(0, 32);
}

/** None where there is no such folder. */
async function entries(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
