/** What pe-scheduler and pe-worker have in common on the command line when they go on by themselves. */
import { dirname, join, resolve } from "node:path";
import { JSON_OPTION, type CommandSpec, type Given, type OptionSpec } from "../../common/command-line/command.ts";
import { printResult, type Console } from "../../common/command-line/console.ts";
import { EXIT, PeError } from "../../common/errors.ts";
import { detach } from "./detach.ts";
import { holdPidFile, pidIn } from "./pid-file.ts";
import { stopDetached } from "./stop.ts";

const PATIENCE_S = 60;
/** Longer waits than a timer takes. */
const PATIENCE_S_MAX = 1_000_000;

export const DETACH_OPTIONS: readonly OptionSpec[] = [
  { flags: "--detach", about: "go on by itself: returns when it is up; starts nothing where one runs already" },
  { flags: "--pid-file FILE", about: "holds its process number while it is up (with --detach: in the state folder)" },
  { flags: "--log-file FILE", about: "where --detach sends what it says (default: beside the pid file)" },
];

/** A program that can go on by itself. */
export interface DetachableSpec {
  /** As typed, `pe-worker`. */
  readonly program: string;
  /** Option that tells several on one machine apart. */
  readonly option: OptionSpec;
  /** Pid file of the process with these options, where none is named. */
  readonly pidFile: (given: Given) => string;
}

/** Runs `serve` here, or starts this command as a process of its own. */
export async function serveOrDetach(
  { program, pidFile }: DetachableSpec,
  given: Given,
  console: Console,
  serve: (announce: () => Promise<void>) => Promise<number>,
): Promise<number> {
  const isDetaching = given.flag("detach");
  if (!isDetaching && given.has("log-file"))
    throw new PeError("PE_PARAMETER", "Cannot write --log-file without --detach: redirect stderr to the file");
  const file = given.text("pid-file") ?? (isDetaching ? pidFile(given) : undefined);
  if (file === undefined) return await serve(async () => undefined);
  if (!isDetaching) return await serveWithPidFile(file, serve);
  const logFile = resolve(given.text("log-file") ?? join(dirname(file), `${program}.log`));
  const { started, pid } = await detach({ pidFile: file, logFile, command: [process.argv[1]!, ...ownArguments()] });
  const text = started
    ? `${program} runs as process ${pid}; its log is ${logFile}; end it with:\n  ${program} stop --pid-file ${file}`
    : `${program} runs already, as process ${pid}`;
  printResult(console, given.flag("json"), { started, pid, pidFile: file, logFile }, text);
  return EXIT.ok;
}

async function serveWithPidFile(
  path: string,
  serve: (announce: () => Promise<void>) => Promise<number>,
): Promise<number> {
  const held = await holdPidFile(path);
  try {
    return await serve(held.announce);
  } finally {
    await held.withdraw();
  }
}

/** Of this process, without what tells it to start another one. */
function ownArguments(): string[] {
  const FILES = ["--pid-file", "--log-file"];
  return process.argv
    .slice(2)
    .filter((arg, at, args) => arg !== "--detach" && !FILES.includes(arg) && !FILES.includes(args[at - 1] ?? ""))
    .filter((arg) => !FILES.some((name) => arg.startsWith(`${name}=`)));
}

export function stopCommand(spec: DetachableSpec): CommandSpec {
  const { program } = spec;
  return {
    name: "stop",
    about: `End a ${program} that was started with --detach or --pid-file, and wait until it has left. None is fine too.`,
    options: [
      spec.option,
      { flags: "--pid-file FILE", about: "its pid file, where it was given one" },
      {
        flags: "--timeout SECONDS",
        about: "how long it may finish what it runs before it is told to end at once",
        default: String(PATIENCE_S),
      },
      JSON_OPTION,
    ],
    examples: [`${program} stop`],
    run: async (given, console) => {
      const patienceMs = secondsIn(given.needed("timeout")) * 1000;
      const pid = await stopDetached(given.text("pid-file") ?? spec.pidFile(given), patienceMs);
      const text = pid === undefined ? `no ${program} runs` : `${program}, process ${pid}, has ended`;
      printResult(console, given.flag("json"), { stopped: pid !== undefined, pid: pid ?? null }, text);
      return EXIT.ok;
    },
  };
}

/** Exit status: 0 when one runs, 69 when none does. */
export function statusCommand(spec: DetachableSpec): CommandSpec {
  const { program } = spec;
  return {
    name: "status",
    about: `Tell whether a ${program} that was started with --detach or --pid-file runs on this machine.`,
    options: [spec.option, { flags: "--pid-file FILE", about: "its pid file, where it was given one" }, JSON_OPTION],
    examples: [`${program} status`],
    run: async (given, console) => {
      const pidFile = given.text("pid-file") ?? spec.pidFile(given);
      const pid = await pidIn(pidFile);
      const text = pid === undefined ? `no ${program} runs with ${pidFile}` : `${program} runs as process ${pid}`;
      printResult(console, given.flag("json"), { running: pid !== undefined, pid: pid ?? null, pidFile }, text);
      return pid === undefined ? EXIT.unavailable : EXIT.ok;
    },
  };
}

function secondsIn(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (seconds <= PATIENCE_S_MAX) return seconds;
  throw new PeError("PE_PARAMETER", `Cannot read --timeout "${text}": expected seconds, such as 60`);
}
