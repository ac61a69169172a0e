/** What a running task can reach from its thread: inputs over the thread's port, stored parts. */
import { asPeError, PeError } from "../../common/errors.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { assertPartName } from "../../data/part-name.ts";
import { storeForAll } from "../../data/part-store.ts";
import { isRemote } from "../../data/uploads.ts";
import type { SharedContent, TaskContext } from "../../tasks/kind.ts";
import { readInput, type OpenStore } from "../inputs/content-reader.ts";
import type { WantedFile } from "../inputs/content-wanted.ts";
import { noteAnswer } from "../failure.ts";
import type { ContentAnswer, LoadedContent, PartToStore } from "./frame.ts";
import type { ThreadJob } from "./thread-job.ts";
import type { ThreadPort } from "./thread-port.ts";

/** Parts of one task. */
const PARTS_MAX = 64;

/** Memory of this thread for inputs that no other task needs: grows to the largest, never shrinks. */
let privateMemory = new Uint8Array(0);

/** Of this thread, so far. */
let taskCount = 0;

type Part = Pick<PartToStore, "name" | "bytes">;

const NO_PARTS: readonly Part[] = [];

/** One task while it runs: its context, whose functions may be taken from it. Made for each task, so it holds little. */
export class TaskInThread implements TaskContext {
  readonly common: unknown;
  readonly index: number;
  readonly #number = taskCount++;
  readonly #job: ThreadJob;
  readonly #port: ThreadPort;
  #parts: Part[] | undefined;
  #isOver = false;

  constructor(index: number, job: ThreadJob, port: ThreadPort) {
    this.common = job.common;
    this.index = index;
    this.#job = job;
    this.#port = port;
  }

  get input(): TaskContext["input"] {
    return async (file, { shared }) => {
      this.#refuseLate("read an input");
      const { number: job, partsUrl } = this.#job;
      const store = partsUrl === null ? {} : { store: storeForAll(partsUrl) };
      const wanted = { ...file, ...store, once: !shared, task: this.#number, job };
      const content = await inputOf(wanted, this.#job.openStore, this.#port);
      if (isS3Url(file.path)) noteAnswer(file.path);
      return content;
    };
  }

  get findPart(): TaskContext["findPart"] {
    return async (name) => {
      assertPartName(name);
      return await this.#job.store?.get(name);
    };
  }

  get storePart(): TaskContext["storePart"] {
    return (name, bytes) => {
      this.#refuseLate("store a part");
      assertPartName(name);
      if (this.#job.store === undefined)
        throw new PeError("PE_PARAMETER", `Cannot store part "${name}": the job was opened without a store of parts`);
      this.#parts ??= [];
      if (this.#parts.length === PARTS_MAX)
        throw new PeError("PE_LIMIT", `Cannot store part "${name}": a task may have ${PARTS_MAX} parts`);
      this.#parts.push({ name, bytes });
    };
  }

  /** What it handed over, to be stored when it ends well. */
  get parts(): readonly Part[] {
    return this.#parts ?? NO_PARTS;
  }

  /** Where its parts go. */
  get partsUrl(): string | null {
    return this.#job.partsUrl;
  }

  /** What still runs of it, awaited by nobody, may not touch the next task's. */
  over(): void {
    this.#isOver = true;
  }

  #refuseLate(what: string): void {
    if (this.#isOver)
      throw new PeError("PE_TASK_FAILED", `Cannot ${what}: the task has ended; await everything before run returns`);
  }
}

function growPrivate(bytes: number): Uint8Array<ArrayBuffer> {
  if (privateMemory.byteLength < bytes) privateMemory = new Uint8Array(Math.ceil(bytes * 1.25));
  return privateMemory;
}

function allocateOwn(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function allocateShared(bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

async function inputOf(file: WantedFile, openStore: OpenStore, port: ThreadPort): Promise<SharedContent> {
  const answer = await port.ask({ type: "want", file });
  switch (answer.type) {
    case "content":
      return { ...answer.loaded, isNew: answer.isNew, derived: derivedOf(file, port) };
    case "unloadable":
      throw PeError.fromRecord(answer.error);
    case "load":
      if (answer.alone === true) return await readAlone(file, openStore);
      return { ...(await loadShared(file, answer, openStore, port)), isNew: true, derived: derivedOf(file, port) };
    case "derived":
      throw new Error(`an answer about "${file.name}" that was not asked for`);
  }
}

async function readAlone(file: WantedFile, openStore: OpenStore): Promise<SharedContent> {
  // What comes over a network comes bit by bit: what a task left unawaited must not come into memory that the next one uses.
  const allocate = isRemote(file.path) ? allocateOwn : growPrivate;
  return { ...(await readInput(file, openStore, allocate)), isNew: true };
}

/** Memory for what tasks make of an input: asked for while the task has it. */
function derivedOf(file: WantedFile, port: ThreadPort): NonNullable<SharedContent["derived"]> {
  return async (name, { bytes, headBytes }) => {
    const answer = await port.ask({ type: "derive", file, name, bytes, headBytes });
    return answer.type === "derived" ? answer.memory : undefined;
  };
}

async function loadShared(
  file: WantedFile,
  { scratch, memory }: Extract<ContentAnswer, { type: "load" }>,
  openStore: OpenStore,
  port: ThreadPort,
): Promise<LoadedContent> {
  const allocate = memory === undefined ? allocateShared : (): Uint8Array<SharedArrayBuffer> => new Uint8Array(memory);
  try {
    const loaded = await readInput(file, openStore, allocate, scratch);
    port.say({ type: "loaded", file, loaded });
    return loaded;
  } catch (error) {
    const known = asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`);
    port.say({ type: "unloadable", file, error: known.toRecord() });
    throw known;
  }
}
