/** What is done at one host, and at many of them a few at a time. */
import { readFile } from "node:fs/promises";
import { asPeError, PeError } from "../../../common/errors.ts";
import { inLanes } from "../../../common/lanes.ts";
import { clusterFiles } from "../cluster-record.ts";
import type { ManagedCluster, Member } from "../engine.ts";
import type { Bundle } from "./bundle.ts";
import { runScript, sendFile, type SshOptions } from "./connection.ts";
import type { Placed, SshHost } from "./hosts.ts";
import {
  answersOf,
  fileOf,
  filesScript,
  listScript,
  lookScript,
  removeScript,
  startScript,
  stopScript,
  unpackCommand,
  type OnHost,
} from "./scripts.ts";

/** How all hosts of a cluster are spoken to. */
export interface Machines {
  readonly how: SshOptions;
  readonly on: OnHost;
}

const HOSTS_AT_ONCE = 16;
const WORKER_ACCESS = "worker-access.json";

/** @returns What went wrong, in the order of the hosts; the others have what they should. */
export async function forEachHost<Item>(
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<PeError[]> {
  const problems = await inLanes(items, HOSTS_AT_ONCE, async (item) => {
    try {
      await act(item);
      return [];
    } catch (error) {
      return [asPeError(error, "PE_UNEXPECTED", "Cannot use a host")];
    }
  });
  return problems.flat();
}

export interface Look {
  /** Under which the host was reached, and from where; empty when ssh does not tell. */
  readonly address: string;
  readonly from: string;
}

/**
 * Has the package at a host.
 *
 * @throws {PeError} `PE_ENGINE` when it cannot be reached, or has no Node that will do.
 */
export async function prepareHost({ how, on }: Machines, host: SshHost, bundle: Bundle): Promise<Look> {
  const answered = await runScript(host, how, lookScript(on, bundle));
  const [old] = answersOf(answered, "old-node").flat();
  const advice = "install Node 20.19 or newer there, or name it with --node PATH";
  if (old !== undefined) throw new PeError("PE_ENGINE", `Cannot use ${host.label}: its Node is ${old}; ${advice}`);
  if (answersOf(answered, "node").length === 0)
    throw new PeError("PE_ENGINE", `Cannot use ${host.label}: a command by ssh finds no "${on.node}" there; ${advice}`);
  if (answersOf(answered, "package").length === 0)
    await sendFile(host, how, await bundle.file(), unpackCommand(on, bundle));
  const one = (word: string): string => answersOf(answered, word)[0]?.[0] ?? "";
  return { address: one("address"), from: one("from") };
}

/** Has workers running at a host. */
export async function startWorkers(
  { how, on }: Machines,
  { folder, workerArguments }: ManagedCluster,
  host: SshHost,
  workers: readonly Placed[],
): Promise<void> {
  const access = await readFile(clusterFiles(folder).workerAccess, "utf8");
  const files = filesScript(on, { [WORKER_ACCESS]: access });
  const processes = workers.map(({ program, name }) => ({
    program,
    name,
    arguments: ["--access-file", WORKER_ACCESS, "--name", name, ...workerArguments],
  }));
  await runScript(host, how, `${files}${startScript(on, processes)}`);
}

/** How processes at a host are, in their order, also when the host does not answer. */
export async function listHost(
  { how, on }: Machines,
  host: SshHost,
  processes: readonly Placed[],
  words: boolean,
): Promise<Member[]> {
  const who = ({ program, name }: Placed) => ({ role: program, name, host: host.label });
  let answered: readonly string[];
  try {
    answered = await runScript(host, how, listScript(on, processes, words));
  } catch (error) {
    const { message, details } = asPeError(error, "PE_ENGINE", `Cannot ask ${host.label}`);
    const reason = typeof details["reason"] === "string" ? details["reason"] : message;
    return processes.map((process) => ({ ...who(process), state: "unreachable", reason }));
  }
  const pids = new Map(answersOf(answered, "pid").map(([file = "", pid = ""]) => [file, pid]));
  return processes.map((process): Member => {
    const pid = pids.get(fileOf(process));
    const said = answersOf(answered, "words").filter(([file]) => file === fileOf(process));
    return {
      ...who(process),
      ...(pid === undefined ? { state: "gone" } : { state: "running", process: `process ${pid}` }),
      ...(words && { words: said.map(([, ...line]) => line.join("\t")).join("\n") }),
    };
  });
}

export async function stopAt(
  { how, on }: Machines,
  host: SshHost,
  processes: readonly Placed[],
  drainSeconds: number,
): Promise<void> {
  await runScript(host, how, stopScript(on, processes, drainSeconds));
}

export async function removeFrom({ how, on }: Machines, host: SshHost, purge: boolean): Promise<void> {
  await runScript(host, how, removeScript(on, purge));
}
