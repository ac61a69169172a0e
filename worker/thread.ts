/** Entry of a pool thread: runs the tasks of a frame one after the other and reports each. */
import { asPeError } from "../common/errors.ts";
import type { Kind, TaskContext } from "../tasks/kind.ts";
import { loadKind } from "../tasks/registry.ts";
import { parse } from "../tasks/parse.ts";
import type { DeliveredFrame, FrameTask, ToPool } from "./frame.ts";
import { threadContext } from "./thread-context.ts";

/** Kinds this thread has set up. */
const ready = new Map<string, Promise<Kind<unknown>>>();

/** What piscina calls. Never rejects for a task's error: only the death of the thread rejects a run. */
export async function runFrame({ kind, tasks, partsFolder, port, cursor }: DeliveredFrame): Promise<void> {
  const context = threadContext(port, partsFolder);
  try {
    for (const task of tasks) {
      Atomics.add(cursor, 0, 1);
      const { message, transfer } = await runTask(kind, task, context);
      port.postMessage(message, transfer);
    }
    port.postMessage({ type: "end" } satisfies ToPool);
  } finally {
    port.close();
  }
}

async function runTask(
  kindName: string,
  { index, parameters }: FrameTask,
  context: TaskContext,
): Promise<{ message: ToPool; transfer: ArrayBuffer[] }> {
  const startMs = performance.now();
  try {
    const kind = await setUp(kindName);
    const result = await kind.run(parse(kind.schema, parameters, `parameters of a ${kindName} task`), context);
    const message: ToPool = { type: "done", index, result, tookMs: performance.now() - startMs };
    return { message, transfer: transferable(result.part?.bytes) };
  } catch (error) {
    const known = asPeError(error, "PE_TASK_FAILED", `Task ${index} of kind ${kindName} failed`);
    return { message: { type: "failed", index, error: known.toRecord() }, transfer: [] };
  }
}

function setUp(name: string): Promise<Kind<unknown>> {
  let kind = ready.get(name);
  if (kind === undefined) {
    kind = loadKind(name).then(async (loaded) => {
      await loaded.setup?.();
      return loaded;
    });
    ready.set(name, kind);
  }
  return kind;
}

/** Memory that holds these bytes and nothing else is handed over, any other is copied. */
function transferable(bytes: Uint8Array | undefined): ArrayBuffer[] {
  const memory = bytes?.buffer;
  return memory instanceof ArrayBuffer && memory.byteLength === bytes?.byteLength ? [memory] : [];
}
