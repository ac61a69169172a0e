/**
 * Data of a client as the result of a task, so that they are a value like any other: held by workers, copied, spilled,
 * and made again from the store of parts when the last worker that had them is gone.
 */
import { PeError } from "../../common/errors.ts";
import { readValue } from "../../protocol/large-values.ts";
import type { Kind, TaskContext } from "../kind.ts";
import { scatterSchema, type ScatterTask } from "./schema.ts";
import { SCATTER_VERSION } from "./version.ts";

export const scatter = {
  name: "scatter",
  version: SCATTER_VERSION,
  schema: scatterSchema,
  run: async (task: ScatterTask, context: TaskContext): Promise<unknown> => {
    if ("value" in task) return task.value;
    return readValue(await joined(task.parts, task.bytes, context));
  },
} satisfies Kind<ScatterTask>;

async function joined(parts: readonly string[], bytes: number, context: TaskContext): Promise<SharedArrayBuffer> {
  const blob = new SharedArrayBuffer(bytes);
  const target = new Uint8Array(blob);
  let end = 0;
  for (const name of parts) {
    const part = await context.findPart(name);
    if (part === undefined || end + part.byteLength > bytes) throw lost(name);
    target.set(part, end);
    end += part.byteLength;
  }
  if (end < bytes) throw lost(parts.at(-1)!);
  return blob;
}

function lost(name: string): PeError {
  return new PeError(
    "PE_VALUE_LOST",
    `Cannot read scattered data: part "${name}" is not whole in the store of parts; scatter them again`,
    { details: { part: name } },
  );
}
