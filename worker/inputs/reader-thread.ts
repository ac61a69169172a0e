/** Entry of the reader thread: names the inputs of tasks, and reads them into memory that all threads share. */
import { parentPort, workerData } from "node:worker_threads";
import { asPeError } from "../../common/errors.ts";
import { collectGarbage } from "../../common/garbage.ts";
import { ContentMemory } from "./content-memory.ts";
import { readInput } from "./content-reader.ts";
import type { Reading } from "./content-wanted.ts";
import type { FromReader, ReaderData, ToReader } from "./reader-messages.ts";
import { openedStores } from "./opened-stores.ts";
import { TaskInputs } from "./task-inputs.ts";

const { kinds, partAccess } = workerData as ReaderData;
const inputs = new TaskInputs(kinds);
const openStore = openedStores(partAccess);
const memory = new ContentMemory(() => undefined);

/** Answers carry no name: one question after the other. */
let lastNamed: Promise<void> = Promise.resolve();

parentPort!.on("message", (message: ToReader) => {
  switch (message.type) {
    case "name":
      lastNamed = lastNamed.then(async () => say({ type: "named", inputs: await inputs.name(message.tasks) }));
      return;
    case "read":
      return void read(message);
    case "reuse":
      return memory.giveBack(message.memory);
    case "collect":
      return void collectGarbage();
    case "end":
      // In a thread, that is the end of the thread.
      process.exit();
  }
});

async function read({ file, scratch }: Reading): Promise<void> {
  try {
    say({ type: "loaded", file, loaded: await readInput(file, openStore, (bytes) => memory.take(bytes), scratch) });
  } catch (error) {
    const known = asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`);
    say({ type: "unloadable", file, error: known.toRecord() });
  }
}

function say(message: FromReader): void {
  parentPort!.postMessage(message);
}
