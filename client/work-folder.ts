/**
 * What a run keeps beside its output until the maps are verified: `<output>.work/`.
 *
 * - `parts/NAME`: one file per finished task, named by what it was computed from.
 * - `JOB/manifest.json`: what is computed; a job's id comes from it, so the same command finds the same folder.
 * - `JOB/finished.jsonl`: one line per finished task, written after its part is durable, with a checksum in front: a
 *   line that is torn or altered is a task that is not finished.
 */
import { hash } from "node:crypto";
import { open, readdir, readFile, rm, rmdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { asPeError } from "../common/errors.ts";
import { writeDurably } from "../data/durable.ts";
import { makeFolders } from "../data/folders.ts";
import { readPart, readPartSlice, writePart } from "../data/part-folder.ts";
import type { Job, TaskResult } from "../tasks/kind.ts";

/** One line of `finished.jsonl`. */
export interface FinishedTask {
  readonly index: number;
  readonly part: string;
  readonly summary: Readonly<Record<string, unknown>>;
}

export interface WorkFolder {
  readonly path: string;
  readonly partsFolder: string;
  /** Tasks finished before this run whose parts are whole. */
  readonly finished: readonly FinishedTask[];
  /** Durable when it resolves. @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE` */
  store(index: number, result: TaskResult): Promise<void>;
  readPart(name: string): Promise<Uint8Array | undefined>;
  readPartSlice(name: string, offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Takes away this job and its parts; the folder too, unless another interrupted job has something in it. */
  remove(): Promise<void>;
}

/** @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL` */
export async function openWorkFolder(output: string, job: Job<unknown> & { manifest: unknown }): Promise<WorkFolder> {
  const path = `${output}.work`;
  const partsFolder = join(path, "parts");
  const jobFolder = join(path, job.id);
  try {
    await makeFolders(partsFolder);
    await makeFolders(jobFolder);
    await writeDurably(join(jobFolder, "manifest.json"), new TextEncoder().encode(JSON.stringify(job.manifest)));
    const finished = await readFinished(join(jobFolder, "finished.jsonl"), partsFolder, job.taskCount);
    // Lines of parts that are gone, and a torn last line, are left out of the file that goes on.
    await writeDurably(join(jobFolder, "finished.jsonl"), new TextEncoder().encode(finished.map(formatLine).join("")));
    const log = new LineLog(await open(join(jobFolder, "finished.jsonl"), "a"));
    const names = new Set(finished.map(({ part }) => part));
    return {
      path,
      partsFolder,
      finished,
      store: async (index, { part, summary }) => {
        if (part === undefined) return;
        if (part.bytes !== undefined) await writePart(partsFolder, part.name, part.bytes);
        await log.append(formatLine({ index, part: part.name, summary }));
        names.add(part.name);
      },
      readPart: async (name) => await readPart(partsFolder, name),
      readPartSlice: async (name, offset, into) => await readPartSlice(partsFolder, name, offset, into),
      close: async () => await log.close(),
      remove: async () => await removeJob(path, jobFolder, partsFolder, names),
    };
  } catch (error) {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot keep intermediate results in "${path}"`);
  }
}

const CHECK_DIGITS = 16;

function formatLine(finished: FinishedTask): string {
  const text = JSON.stringify(finished);
  return `${checkOf(text)} ${text}\n`;
}

function checkOf(text: string): string {
  return hash("sha256", text, "hex").slice(0, CHECK_DIGITS);
}

async function readFinished(file: string, partsFolder: string, taskCount: number): Promise<FinishedTask[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const byIndex = new Map<number, FinishedTask>();
  for (const line of text.split("\n").slice(0, -1)) {
    const finished = parseLine(line);
    if (finished === undefined || finished.index >= taskCount) continue;
    if ((await readPart(partsFolder, finished.part)) !== undefined) byIndex.set(finished.index, finished);
  }
  return [...byIndex.values()];
}

/** The task of a line that is as it was written. */
function parseLine(line: string): FinishedTask | undefined {
  const text = line.slice(CHECK_DIGITS + 1);
  return line === `${checkOf(text)} ${text}` ? (JSON.parse(text) as FinishedTask) : undefined;
}

async function removeJob(path: string, jobFolder: string, partsFolder: string, names: Iterable<string>): Promise<void> {
  await rm(jobFolder, { recursive: true, force: true });
  for (const name of names) await rm(join(partsFolder, name), { force: true });
  const others = (await readdir(path)).filter((name) => name !== "parts");
  if (others.length === 0) return await rm(path, { recursive: true, force: true });
  await rmdir(partsFolder).catch(() => undefined);
}

/** Lines that are durable when `append` resolves; those that come while the disk is busy share the next flush. */
class LineLog {
  readonly #file: FileHandle;
  #waiting: string[] = [];
  #flush: Promise<void> | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(line: string): Promise<void> {
    this.#waiting.push(line);
    const running = this.#flush;
    // Whoever comes first after a flush began starts the next one, for all that came meanwhile.
    if (this.#waiting.length === 1) this.#flush = this.#write(running);
    return await this.#flush;
  }

  async #write(before: Promise<void> | undefined): Promise<void> {
    await before;
    const lines = this.#waiting.join("");
    this.#waiting = [];
    await this.#file.appendFile(lines);
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#flush?.catch(() => undefined);
    await this.#file.close();
  }
}
