/** pe-scheduler: starts a scheduler and tells how to use it; ends when a signal comes or the disk fails. */
import { JSON_OPTION, type CommandSpec, type Given } from "../../common/command-line/command.ts";
import { printResult, type Console } from "../../common/command-line/console.ts";
import { stopOnSignals } from "../../common/command-line/interrupt.ts";
import { EXIT, type PeError } from "../../common/errors.ts";
import { createLog, type LogLine } from "../../common/log.ts";
import { DETACH_OPTIONS, serveOrDetach } from "../../data/detached/commands.ts";
import { PORT_DEFAULT } from "../../protocol/access-file.ts";
import { serveScheduler, type SchedulerServer } from "../server.ts";
import { DETACHABLE } from "./detached.ts";
import { settingsOf, type Settings } from "./settings.ts";

export const start: CommandSpec = {
  name: "pe-scheduler",
  about:
    "Start a scheduler: it hands out the tasks of jobs to workers, and keeps all that it knows in a journal, so that it goes on " +
    "where it was, however it ended.",
  options: [
    { flags: "--host ADDRESS", about: "address to listen on; others than this machine need TLS", default: "127.0.0.1" },
    { flags: "--port N", about: "port to listen on; 0 is a free one", default: String(PORT_DEFAULT) },
    { flags: "--journal DIR", about: "folder of the journal (default: one for the port in the state folder)" },
    { flags: "--in-memory", about: "keep nothing: all jobs are lost when it ends" },
    {
      flags: "--parts DIR",
      about: "folder of the results that are sent here (default: parts in the journal's folder)",
    },
    {
      flags: "--access-file FILE",
      about: "tokens, and for TLS the certificate (default: one for the port, made if missing)",
    },
    { flags: "--tls-cert FILE", about: "certificate, PEM (default: beside the access file)" },
    { flags: "--tls-key FILE", about: "its private key, PEM (default: beside the access file)" },
    { flags: "--insecure", about: "listen for other machines without TLS: whoever listens in gets tokens and data" },
    ...DETACH_OPTIONS,
    { ...JSON_OPTION, about: "print where it listens as JSON on stdout, and the log as JSON lines on stderr" },
  ],
  examples: [
    "pe-scheduler",
    "pe-scheduler --port 9000 --journal /data/pe/journal",
    "pe-scheduler access new --host lab.example.org --out access.json",
    "pe-scheduler --host 0.0.0.0 --access-file access.json",
    "pe-scheduler --detach",
  ],
  run: async (given, console) =>
    await serveOrDetach(DETACHABLE, given, console, async (announce) => await runCommand(given, console, announce)),
};

async function runCommand(given: Given, console: Console, announce: () => Promise<void>): Promise<number> {
  const settings = await settingsOf(given);
  const isJson = given.flag("json");
  const log = createLog((line) => console.stderr(line), { json: isJson });
  for (const text of settings.warnings) log({ level: "warn", text });
  // A line of the log like all others.
  const telling = { ...console, stderr: (text: string) => log({ level: "info", text: text.trim() }) };
  const signals = stopOnSignals(telling, "stopping: what was begun is made durable; again to stop at once");
  try {
    return await serve(settings, { console, isJson, log, announce, signal: signals.signal });
  } finally {
    signals.release();
  }
}

interface Serving {
  readonly console: Console;
  readonly isJson: boolean;
  readonly log: (line: LogLine) => void;
  /** Tells whoever started it that it is up. */
  readonly announce: () => Promise<void>;
  readonly signal: AbortSignal;
}

async function serve(settings: Settings, { console, isJson, log, announce, signal }: Serving): Promise<number> {
  let failed: (error: PeError) => void = () => undefined;
  const failure = new Promise<PeError>((done) => (failed = done));
  const server = await serveScheduler({ ...settings, log, onFatal: failed });
  printResult(console, isJson, recordOf(server, settings), textOf(server, settings));
  await announce();
  const stopped = new Promise<undefined>((done) => {
    if (signal.aborted) done(undefined);
    signal.addEventListener("abort", () => done(undefined));
  });
  const error = await Promise.race([failure, stopped]);
  await server.close();
  if (error !== undefined) throw error;
  log({ level: "info", text: "stopped; nothing was lost" });
  return EXIT.ok;
}

function recordOf({ url, port, scheduler }: SchedulerServer, { journal, partsFolder, accessFile }: Settings): unknown {
  return {
    url,
    port,
    epoch: scheduler.epoch,
    pid: process.pid,
    journal: journal ?? null,
    parts: partsFolder,
    accessFile,
  };
}

function textOf({ url }: SchedulerServer, settings: Settings): string {
  const { journal, partsFolder, accessFile, isDefaultAccess, address = url } = settings;
  const access = isDefaultAccess ? "" : ` --access-file ${accessFile}`;
  const example = `--input shards --output maps.hdf5 --orders 3-7 --delays 1-10 --wait`;
  return [
    `pe-scheduler listens on ${url}`,
    `journal  ${journal ?? "none: everything is lost when it ends"}`,
    `parts    ${partsFolder}`,
    `access   ${accessFile}`,
    "start a worker, and send it work:",
    `  pe-worker ${address}${access}`,
    `  pe-client submit --scheduler ${address}${access} ${example}`,
  ].join("\n");
}
