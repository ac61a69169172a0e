/** Entry of a pool thread: runs the tasks of its frames one after the other and tells how each ended. */
import { hash } from "node:crypto";
import { workerData, type MessagePort } from "node:worker_threads";
import { PeError } from "../common/errors.ts";
import { packValue } from "../protocol/values.ts";
import { parse } from "../tasks/parse.ts";
import type { KindVersion } from "../tasks/registry.ts";
import { Board } from "./board.ts";
import { failureOf } from "./failure.ts";
import type { DeliveredFrame, LongEnd, PartToStore, ThreadData } from "./frame.ts";
import { parametersOf } from "./frame-parameters.ts";
import { TaskInThread } from "./thread-context.ts";
import { ThreadJobs, type ThreadJob } from "./thread-job.ts";
import { ThreadPort } from "./thread-port.ts";

/** A larger result has to be a part. */
const RESULT_BYTES_MAX = 64 * 1024;
/**
 * Whoever looks at the board is told of news at most so often, and when a frame has ended. Each report costs all processes
 * a wake-up, so tasks of a millisecond share one.
 */
const LOOK_EVERY_MS = 5;

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
  for (;;) {
    const frame = port.takeFrame() ?? (await port.nextFrame());
    if (frame === undefined) return port.close();
    await runFrame(frame, port);
    port.say({ type: "look" });
  }
}

async function runFrame(frame: DeliveredFrame, port: ThreadPort): Promise<void> {
  const { tasks } = frame;
  const board = new Board(frame.board);
  let startMs = performance.now();
  let lookedMs = startMs;
  for (let place = 0; place < tasks.length; place++) {
    board.begin();
    const end = await runTask(frame, place, port);
    const endMs = performance.now();
    tell(board, port, end, (endMs - startMs) * 1000);
    if (endMs - lookedMs > LOOK_EVERY_MS && place < tasks.length - 1) {
      lookedMs = endMs;
      port.say({ type: "look" });
    }
    startMs = endMs;
  }
}

function tell(board: Board, port: ThreadPort, end: LongEnd, tookUs: number): void {
  const { parts } = end;
  const result = "result" in end.end && parts.length === 0 && board.takes(end.end.result) ? end.end.result : undefined;
  if (result === undefined)
    port.say(
      "result" in end.end ? { ...end, end: { result: end.end.result.slice() } } : end,
      parts.flatMap(({ bytes }) => transferable(bytes)),
    );
  board.end(tookUs, result);
}

async function runTask(frame: DeliveredFrame, place: number, port: ThreadPort): Promise<LongEnd> {
  const index = frame.tasks[place]!;
  const ended = { type: "ended", frame: frame.number, place } as const;
  let job: ThreadJob;
  try {
    job = await jobs.get(frame);
  } catch (error) {
    const failure = failureOf(error, `Cannot begin job "${frame.id}"`);
    return { ...ended, partsUrl: null, parts: [], end: { failure: { ...failure, endsJob: true } } };
  }
  const { kind, partsUrl } = job;
  const task = new TaskInThread(index, job, port);
  try {
    const parameters = parametersOf(frame, place);
    const checked =
      kind.schema === undefined ? parameters : parse(kind.schema, parameters, `parameters of a ${kind.name} task`);
    const value = await kind.run(checked, task.context);
    return {
      ...ended,
      partsUrl,
      parts: task.parts.map(digested),
      end: { result: encoded(kind.name, value) },
    };
  } catch (error) {
    const failure = failureOf(error, `Task ${index} of kind ${kind.name} failed`);
    return { ...ended, partsUrl, parts: [], end: { failure } };
  } finally {
    task.over();
  }
}

/** A view of memory that other results share. */
function encoded(kind: string, value: unknown): Uint8Array {
  const bytes = packValue(value);
  if (bytes.byteLength <= RESULT_BYTES_MAX) return bytes;
  throw new PeError(
    "PE_LIMIT",
    `Cannot return the result of a ${kind} task: it has ${bytes.byteLength} bytes, more than ${RESULT_BYTES_MAX}; ` +
      `store it as a part and return its name`,
  );
}

function digested({ name, bytes }: Pick<PartToStore, "name" | "bytes">): PartToStore {
  return { name, bytes, sha256: new Uint8Array(hash("sha256", bytes, "buffer")) };
}

/** Memory that holds these bytes and nothing else is handed over, any other is copied. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const memory = bytes.buffer;
  return memory instanceof ArrayBuffer && memory.byteLength === bytes.byteLength ? [memory] : [];
}
