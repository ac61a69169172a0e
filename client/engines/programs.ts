/** The programs of this installation as processes of their own, and what they left in their logs. */
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** File that Node runs as `pe-scheduler` or `pe-worker`. */
export function programMain(program: "scheduler" | "worker"): string {
  return fileURLToPath(new URL(`../../${program}/main.js`, import.meta.url));
}

/** Enough for an error and what led to it. */
export const WORDS_LINES = 8;
const WORDS_BYTES_MAX = 4096;

/** The last lines of a log; nothing where there is none. */
export async function lastWords(logFile: string): Promise<string> {
  const file = await open(logFile, "r").catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(WORDS_BYTES_MAX),
      position: Math.max(0, size - WORDS_BYTES_MAX),
    });
    return buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n").slice(-WORDS_LINES).join("\n");
  } finally {
    await file.close();
  }
}
