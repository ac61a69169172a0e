/** What pe-worker may be asked for, as its supervisor hands it to each worker process. */
import { availableParallelism, hostname, totalmem } from "node:os";
import { resolve } from "node:path";
import type { Given } from "../common/command-line/command.ts";
import { PeError } from "../common/errors.ts";
import { SLOTS_MAX } from "../protocol/worker-link.ts";

/** Plain data: it travels as JSON. No token is in it, only where one is found. */
export interface WorkerSettings {
  /** The same for each process that the supervisor starts. */
  readonly name: string;
  readonly url?: string;
  readonly accessFile?: string;
  readonly threads: number;
  readonly memoryLimitBytes: number;
  readonly resources: readonly { readonly name: string; readonly amount: number }[];
  /** Folders, absolute. */
  readonly kinds: readonly string[];
  /** A folder of this worker alone. */
  readonly scratch: string;
  /** Where it serves values; by default the address from which it reaches the scheduler, and a port that is free. */
  readonly serveHost?: string;
  readonly servePort?: number;
  readonly json: boolean;
}

/** Of the memory of the machine, or of the container. */
const MEMORY_SHARE = 0.8;
const MEMORY_BYTES_MIN = 128 * 2 ** 20;
const NAME_PATTERN = /^[\x21-\x7e]{1,128}$/;
const AMOUNT_MAX = 1_000_000;

/** @throws {PeError} `PE_PARAMETER` naming the option. */
export function readSettings(given: Given): Omit<WorkerSettings, "scratch"> {
  const url = given.text("URL");
  const accessFile = given.text("access-file");
  const serveHost = given.text("serve-host");
  const servePort = given.parsed("serve-port", readPort);
  return {
    name: given.parsed("name", readName) ?? `${hostname().slice(0, 100)}-${process.pid}`,
    ...(url !== undefined && { url }),
    ...(accessFile !== undefined && { accessFile: resolve(accessFile) }),
    threads: given.parsed("threads", readThreads) ?? availableParallelism(),
    memoryLimitBytes: given.parsed("memory-limit", readBytes) ?? Math.floor(machineBytes() * MEMORY_SHARE),
    resources: given.parsed("resources", readResources) ?? [],
    kinds: given.texts("kinds").flatMap(readFolders),
    ...(serveHost !== undefined && { serveHost }),
    ...(servePort !== undefined && { servePort }),
    json: given.flag("json"),
  };
}

/** Of the container, where there is one with a limit. */
function machineBytes(): number {
  // In Node since 20; without a limit it is 0, or more than there is.
  const { constrainedMemory } = process as { constrainedMemory?: () => number };
  const constrained = constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

function readName(text: string): string {
  if (NAME_PATTERN.test(text)) return text;
  throw refusal("--name", text, "expected 1 to 128 printable characters without spaces, such as node-7");
}

function readThreads(text: string): number {
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= SLOTS_MAX) return threads;
  throw refusal("--threads", text, `expected a whole number from 1 to ${SLOTS_MAX}`);
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

/** `4GB`, `512MiB`, or a number of bytes. */
export function readBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?)B?$/i.exec(text.trim());
  const bytes = match === null ? NaN : Math.floor(Number(match[1]) * (UNITS[match[2]!.toUpperCase()] ?? NaN));
  if (Number.isSafeInteger(bytes) && bytes >= MEMORY_BYTES_MIN) return bytes;
  throw refusal("--memory-limit", text, `expected at least ${MEMORY_BYTES_MIN / 2 ** 20}MiB, such as 4GB`);
}

/** `gpu=1,licence=2`. */
export function readResources(text: string): { name: string; amount: number }[] {
  const resources = new Map<string, number>();
  for (const piece of text.split(",")) {
    const [, name, digits] = /^\s*([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s*=\s*(\d{1,7})\s*$/.exec(piece) ?? [];
    const amount = Number(digits);
    if (name === undefined || amount > AMOUNT_MAX || resources.has(name))
      throw refusal("--resources", text, `"${piece}" is not a name with a whole number, such as gpu=1, each name once`);
    resources.set(name, amount);
  }
  return [...resources].map(([name, amount]) => ({ name, amount }));
}

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw refusal("--serve-port", text, "expected a whole number from 0 to 65535");
}

function readFolders(text: string): string[] {
  return text.split(",").map((folder) => {
    if (folder.trim() === "") throw refusal("--kinds", text, "expected folders with commas between them");
    return resolve(folder.trim());
  });
}

function refusal(option: string, text: string, reason: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: ${reason}`, { details: { option, text } });
}
