/** The commands of pe-client and how any of them ends; the one file with commander. */
import { Command, CommanderError } from "commander";
import { AssertionError } from "../../common/assert.ts";
import { asPeError, EXIT, PeError } from "../../common/errors.ts";
import { Given, type CommandSpec } from "./command.ts";
import type { Console } from "./console.ts";
import { packageVersion } from "../version.ts";

/** In the order of --help. A command's code is loaded when it is called: half of the time to start. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandSpec>>> = {
  run: async () => (await import("./commands/run.ts")).run,
  plot: async () => (await import("./commands/plot.ts")).plot,
  inspect: async () => (await import("./commands/inspect.ts")).inspect,
  export: async () => (await import("./commands/export.ts")).exportMap,
  simulate: async () => (await import("./commands/simulate.ts")).simulate,
  demo: async () => (await import("./commands/demo.ts")).demo,
};

/**
 * Runs one command line.
 *
 * @param args Without the program's own name.
 * @returns The exit status (sysexits): 0 only when everything that was asked for was done.
 */
export async function runCli(args: readonly string[], console: Console): Promise<number> {
  let status: number = EXIT.ok;
  const program = configure(new Command("pe-client"), console)
    .description("Permutation entropy maps of laser data.")
    .version(packageVersion(), "-V, --version");
  for (const spec of await specsFor(args)) {
    const command = configure(program.command(spec.name), console);
    declare(command, spec);
    command.action(async () => {
      refuseSlips(command, spec);
      status = await spec.run(given(command, spec), console);
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    return reportError(error, console);
  }
}

/** The command that is called, or all of them for --help and for a name that is none. */
async function specsFor([name = ""]: readonly string[]): Promise<CommandSpec[]> {
  const called = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]!] : Object.values(COMMANDS);
  return await Promise.all(called.map((load) => load()));
}

/** Commander writes help through the console and throws instead of ending the process. */
function configure(command: Command, console: Console): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: (text) => console.stdout(text), writeErr: () => undefined })
    .configureHelp({ helpWidth: 110 });
}

function declare(command: Command, { about, argument, options, examples }: CommandSpec): void {
  command.description(about);
  if (argument !== undefined) command.argument(`<${argument.name}>`, argument.about);
  for (const { flags, about: text, required, default: value } of options) {
    const declared = flags.replace(/ (\S+)$/, " <$1>");
    command.option(declared, required === true ? `${text} (required)` : text, value);
  }
  // Commander would name an option as missing whose name is only mistyped, or taken for the value of another.
  command.allowExcessArguments();
  command.addHelpText(
    "after",
    `\nExample${examples.length > 1 ? "s" : ""}:\n${examples.map((line) => `  $ ${line}\n`).join("")}`,
  );
}

/** Slips of the keyboard that commander would blame on something else. @throws {PeError} `PE_PARAMETER` */
function refuseSlips(command: Command, spec: CommandSpec): void {
  const { name, argument, options } = spec;
  const help = `see pe-client ${name} --help`;
  const flags = new Set(command.options.map(({ long }) => long));
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (typeof value === "string" && flags.has(value))
      throw new PeError("PE_PARAMETER", `Cannot read ${option.long}: ${value} follows it, not a value; ${help}`);
  }
  const [extra] = command.args.slice(argument === undefined ? 0 : 1);
  if (extra !== undefined)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use "${extra}": ${name} takes ${argument === undefined ? "options only" : `one ${argument.name}`}; ` +
        `quote a pattern so that the shell leaves it alone, such as "shards/*.hdf5", or ${help}`,
    );
  const got = given(command, spec);
  const missing = options.filter(
    ({ flags: text, required }) => required && !got.has(text.replace(/^--(\S+).*$/, "$1")),
  );
  if (missing.length > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot ${name} without ${missing.map((option) => option.flags).join(", ")}; ${help}`,
    );
}

/** Options by their names as typed, without dashes. */
function given(command: Command, { argument }: CommandSpec): Given {
  const values: [string, unknown][] = command.options.map((option) => [
    option.name(),
    command.getOptionValue(option.attributeName()),
  ]);
  if (argument !== undefined) values.push([argument.name, command.args[0]]);
  return new Given(values);
}

/** One line: what was wrong, where, what to do, and the code. A broken invariant keeps its stack. */
function reportError(error: unknown, console: Console): number {
  if (error instanceof CommanderError) return reportUsage(error, console);
  if (error instanceof AssertionError) throw error;
  const known = error instanceof PeError ? error : asPeError(error, "PE_UNEXPECTED", "Unexpected error");
  console.stderr(`pe-client: ${oneLine(known.message)} [${known.code}]\n`);
  if (process.env.PE_TRACE !== undefined) console.stderr(`${traceOf(known)}\n`);
  return known.exit;
}

function traceOf(error: Error): string {
  return `${error.stack}${error.cause instanceof Error ? `\ncaused by ${traceOf(error.cause)}` : ""}`;
}

function reportUsage(error: CommanderError, console: Console): number {
  if (error.exitCode === 0) return EXIT.ok;
  const text = error.code === "commander.help" ? "name a command" : oneLine(error.message.replace(/^error: /, ""));
  console.stderr(`pe-client: ${text}; see --help [PE_PARAMETER]\n`);
  return EXIT.usage;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}
