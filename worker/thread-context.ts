/** What a running task can reach from its thread: shared inputs over the frame's port, stored parts. */
import { once } from "node:events";
import type { MessagePort } from "node:worker_threads";
import { asPeError, PeError } from "../common/errors.ts";
import { readPart } from "../data/part-folder.ts";
import type { InputFile, SharedContent, TaskContext } from "../tasks/kind.ts";
import { readContent } from "./content-reader.ts";
import type { ToPool, ToThread } from "./frame.ts";

/** Memory of this thread for inputs that no other task needs: grows to the largest, never shrinks. */
let privateMemory = new Uint8Array(0);

export function threadContext(port: MessagePort, partsFolder: string | undefined): TaskContext {
  const say = (message: ToPool): void => port.postMessage(message);
  return {
    input: async (file, { shared }) => (shared ? await sharedContent(file, port, say) : readContent(file, growPrivate)),
    findPart: async (name) => (partsFolder === undefined ? undefined : await readPart(partsFolder, name)),
  };
}

function growPrivate(bytes: number): Uint8Array<ArrayBuffer> {
  if (privateMemory.byteLength < bytes) privateMemory = new Uint8Array(Math.ceil(bytes * 1.25));
  return privateMemory;
}

async function sharedContent(
  file: InputFile,
  port: MessagePort,
  say: (message: ToPool) => void,
): Promise<SharedContent> {
  const answer = once(port, "message") as Promise<[ToThread]>;
  say({ type: "want", file });
  const [message] = await answer;
  switch (message.type) {
    case "content":
      return message.loaded;
    case "unloadable":
      throw PeError.fromRecord(message.error);
    case "load":
      return loadShared(file, say);
  }
}

function loadShared(file: InputFile, say: (message: ToPool) => void): SharedContent {
  try {
    const loaded = readContent(file, (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)));
    say({ type: "loaded", file, loaded });
    return loaded;
  } catch (error) {
    const known = asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`);
    say({ type: "unloadable", file, error: known.toRecord() });
    throw known;
  }
}
