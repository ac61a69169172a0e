/** pe-client cluster ENGINE start. */
import { resolve } from "node:path";
import { JSON_OPTION, type CommandSpec, type Given, type OptionSpec } from "../../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../../common/command-line/console.ts";
import { parsePort } from "../../../../common/command-line/port.ts";
import { counted } from "../../../../common/counted.ts";
import { EXIT } from "../../../../common/errors.ts";
import { clusterNames } from "../../../engines/cluster-record.ts";
import { viewCluster, type ClusterView } from "../../../engines/cluster-status.ts";
import type { Engine } from "../../../engines/engine.ts";
import { openCluster, startCluster } from "../../../engines/operate.ts";
import { joinOption, nameOption, readSeconds, readWorkers, teller } from "./options.ts";
import { recordOfView } from "./status.ts";

/** Handed to every `pe-worker` as they are. */
const WORKER_OPTIONS: readonly OptionSpec[] = [
  { flags: "--threads N", about: "of each worker; by default as many as its machine has cores" },
  { flags: "--memory-limit SIZE", about: "of each worker, such as 4GB; by default 80 % of its machine's" },
  { flags: "--resources LIST", about: "of each worker, that tasks may ask for and share, such as gpu=1" },
  { flags: "--kinds DIR", about: "folder of your own kinds of tasks, there under this path too", repeatable: true },
];

export function startCommand(engine: Engine): CommandSpec {
  const { argument, options, examples } = engine;
  return {
    name: `cluster ${engine.name} start`,
    about:
      `Start a cluster ${engine.where} and wait until its workers have joined. Given again, it starts what does not run; ` +
      "where all of it runs, nothing.",
    ...(argument !== undefined && { argument }),
    options: [
      { flags: "--workers N", about: "how many (default: 1; on hosts, one for each)" },
      ...options,
      ...WORKER_OPTIONS,
      nameOption(engine),
      { flags: "--port N", about: "of the scheduler (default: 8786, or a free one where it is known)" },
      joinOption(engine),
      JSON_OPTION,
    ],
    examples,
    run: async (given, console) => await run(engine, given, console),
  };
}

async function run(engine: Engine, given: Given, console: Console): Promise<number> {
  const name = given.needed("name");
  const asked = await engine.read(given);
  const port = given.parsed("port", (text) => parsePort(text, 1));
  const request = {
    options: asked.options,
    workers: given.parsed("workers", readWorkers) ?? asked.workers,
    workerArguments: workerArguments(given),
    joinSeconds: readSeconds(given, "join-timeout"),
    ...(port !== undefined && { port }),
  };
  const tell = teller(console);
  const { started, problem } = await startCluster(engine, name, request, tell);
  const view = await viewCluster(engine, await openCluster(engine, name, tell));
  const isOnly = (await clusterNames()).length === 1;
  printResult(
    console,
    given.flag("json"),
    { started, ...recordOfView(view) },
    startedText(engine, view, started, isOnly),
  );
  if (problem !== undefined) throw problem;
  return EXIT.ok;
}

function workerArguments(given: Given): string[] {
  return WORKER_OPTIONS.flatMap(({ flags }) => {
    const [option = ""] = flags.split(" ");
    const name = option.slice(2);
    const one = given.text(name);
    const values = one === undefined ? given.texts(name) : [one];
    return values.flatMap((value) => [option, name === "kinds" ? absolute(value) : value]);
  });
}

/** Folders: no process of the cluster begins where this command was given. */
function absolute(folders: string): string {
  return folders
    .split(",")
    .map((folder) => (folder.trim() === "" ? folder : resolve(folder.trim())))
    .join(",");
}

function startedText({ name: engine, where }: Engine, view: ClusterView, started: boolean, isOnly: boolean): string {
  const { name, address, accessFile, seen } = view;
  const slots = (seen?.workers ?? []).reduce((sum, worker) => sum + worker.slots, 0);
  const size = `${counted(seen?.workers.length ?? 0, "worker")}, ${counted(slots, "thread")}`;
  const called = isOnly ? "" : ` --cluster ${name}`;
  const named = name === engine ? "" : ` --name ${name}`;
  return [
    `cluster "${name}" ${started ? "runs" : "runs already"} ${where}: ${size}`,
    `scheduler  ${address ?? "not known yet"}`,
    `access     ${accessFile}`,
    "send it work, look at it, end it:",
    `  pe-client submit${called} --input shards --output maps.hdf5 --orders 3-7 --delays 1-10 --wait`,
    `  pe-client cluster ${engine} status${named}`,
    `  pe-client cluster ${engine} stop${named}`,
  ].join("\n");
}
