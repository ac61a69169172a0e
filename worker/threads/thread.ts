/** Entry of a pool thread: runs the tasks of its frames one after the other and tells how each ended. */
import { hash } from "node:crypto";
import { parentPort, threadId, workerData, type MessagePort } from "node:worker_threads";
import { INLINE_BYTES_MAX } from "../../protocol/held-values.ts";
import { packOrLayOut } from "../../protocol/large-values.ts";
import { parse } from "../../tasks/parse.ts";
import type { KindVersion } from "../../tasks/registry.ts";
import { Board } from "./board.ts";
import { failureOf } from "../failure.ts";
import type { DeliveredFrame, Failure, LongResult, PartToStore, ThreadData, ThreadUp } from "./frame.ts";
import { parametersOf } from "./frame-parameters.ts";
import { shareLaidOut } from "./shared-value.ts";
import { TaskInThread } from "./thread-context.ts";
import { ThreadJobs, type ThreadJob } from "./thread-job.ts";
import { ThreadPort } from "./thread-port.ts";

/** Frames that wait, of which the first keeps the thread busy while more are on their way. */
const FRAMES_ENOUGH = 2;

const jobs = new ThreadJobs(workerData as ThreadData);

/** What this thread can run. @throws {PeError} `PE_KIND` as piscina's run rejects. */
export async function listKinds(): Promise<readonly KindVersion[]> {
  return (await jobs.kinds()).list();
}

/**
 * What piscina calls: runs the frames that come over the port until it is closed. Never rejects for a task's error: only the
 * death of the thread rejects a run.
 */
export async function runFrames(messages: MessagePort): Promise<void> {
  const port = new ThreadPort(messages);
  port.say({ type: "up" });
  // A function of its own, so that nothing of a frame is kept until the next one comes.
  while (await runNext(port)) {
    // While there is work enough, the pool looks at the board when it likes: each report costs all processes a wake-up.
    if (port.countFrames() < FRAMES_ENOUGH) port.say({ type: "look" });
  }
  port.close();
}

/** @returns False: there are no more frames. */
async function runNext(port: ThreadPort): Promise<boolean> {
  const frame = await port.nextFrame();
  if (frame !== undefined) await runFrame(frame, port);
  return frame !== undefined;
}

async function runFrame(frame: DeliveredFrame, port: ThreadPort): Promise<void> {
  const { tasks } = frame;
  const board = new Board(frame.board);
  const job = await jobOf(frame);
  let startMs = performance.now();
  for (let place = 0; place < tasks.length; place++) {
    board.begin();
    let ending = "failure" in job ? job : runTask(frame, place, job, port);
    // A task that computes at once is not made to wait for a promise.
    if (ending instanceof Promise) ending = await ending;
    const endMs = performance.now();
    tell(frame, place, ending, port, board, (endMs - startMs) * 1000);
    startMs = endMs;
  }
}

/** How a task ended: what it returned and handed over, or why it failed. */
type Ending = { readonly result: Result; readonly task: TaskInThread } | { readonly failure: Failure };

/** Packed, or, when it is too large for a report, a blob. */
type Result = Uint8Array | SharedArrayBuffer;

/** A job that cannot begin fails all its tasks. */
async function jobOf(frame: DeliveredFrame): Promise<ThreadJob | { readonly failure: Failure }> {
  try {
    return await jobs.get(frame);
  } catch (error) {
    return { failure: { ...failureOf(error, `Cannot begin job "${frame.id}"`), endsJob: true } };
  }
}

function runTask(frame: DeliveredFrame, place: number, job: ThreadJob, port: ThreadPort): Ending | Promise<Ending> {
  const { kind } = job;
  const task = new TaskInThread(frame.tasks[place]!, job, port);
  try {
    const parameters = parametersOf(frame, place);
    const checked =
      kind.schema === undefined ? parameters : parse(kind.schema, parameters, `parameters of a ${kind.name} task`);
    const value = kind.run(checked, task);
    if (isPromise(value)) return endLater(kind.name, task, value);
    task.over();
    return { result: resultOf(value), task };
  } catch (error) {
    return failed(kind.name, task, error);
  }
}

async function endLater(kind: string, task: TaskInThread, value: PromiseLike<unknown>): Promise<Ending> {
  try {
    const result = resultOf(await value);
    task.over();
    return { result, task };
  } catch (error) {
    return failed(kind, task, error);
  }
}

function failed(kind: string, task: TaskInThread, error: unknown): Ending {
  task.over();
  return { failure: failureOf(error, `Task ${task.index} of kind ${kind} failed`) };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** On the board where that holds it, else over the port, ahead of a word on the board. */
function tell(
  { number }: DeliveredFrame,
  place: number,
  ending: Ending,
  port: ThreadPort,
  board: Board,
  tookUs: number,
): void {
  if ("result" in ending && ending.task.parts.length === 0) {
    const { result } = ending;
    if (result instanceof Uint8Array && board.takes(result)) return board.end(tookUs, result);
  }
  const head = { type: "ended", frame: number, place } as const;
  if ("failure" in ending) port.say({ ...head, partsUrl: null, parts: [], end: ending });
  else {
    const { result, task } = ending;
    const parts = task.parts.map(digested);
    port.say(
      { ...head, partsUrl: task.partsUrl, parts, end: longResult(result) },
      parts.flatMap(({ bytes }) => transferable(bytes)),
    );
  }
  board.end(tookUs, undefined);
}

/** Packed it is a view of memory that other results share. */
function resultOf(value: unknown): Result {
  const packed = packOrLayOut(value, INLINE_BYTES_MAX);
  return packed instanceof Uint8Array ? packed : shareLaidOut(packed);
}

function longResult(result: Result): LongResult {
  return result instanceof Uint8Array ? { result: result.slice() } : { value: result };
}

function digested({ name, bytes }: Pick<PartToStore, "name" | "bytes">): PartToStore {
  return { name, bytes, sha256: new Uint8Array(hash("sha256", bytes, "buffer")) };
}

/** Memory that holds these bytes and nothing else is handed over, any other is copied. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const memory = bytes.buffer;
  return memory instanceof ArrayBuffer && memory.byteLength === bytes.byteLength ? [memory] : [];
}

parentPort!.postMessage({ up: threadId } satisfies ThreadUp);
