/** A program as a table of commands, and how any of them ends; the one file with commander. */
import { Command, CommanderError } from "commander";
import { AssertionError } from "../assert.ts";
import { asPeError, EXIT, PeError } from "../errors.ts";
import { Given, type CommandSpec } from "./command.ts";
import type { Console } from "./console.ts";

/** What a program is called, says of itself, and can do. */
export interface ProgramSpec {
  /** As typed, `pe-client`. */
  readonly name: string;
  readonly about: string;
  readonly version: string;
  /** What it does when no command is named, by the program's own name; without it, a command must be named. */
  readonly main?: () => Promise<CommandSpec>;
  /**
   * By name, in the order of --help; `access new` belongs to a group, and a group may have groups. A command's code is loaded
   * when it is called: half of the time to start.
   */
  readonly commands?: Readonly<Record<string, () => Promise<CommandSpec>>>;
  /** What groups are, by their names as typed. */
  readonly groups?: Readonly<Record<string, string>>;
}

/**
 * Runs one command line.
 *
 * @param args Without the program's own name.
 * @returns The exit status (sysexits): 0 only when everything that was asked for was done.
 */
export async function runProgram(spec: ProgramSpec, args: readonly string[], console: Console): Promise<number> {
  let status: number = EXIT.ok;
  const program = configure(new Command(spec.name), console)
    .description(spec.about)
    .version(spec.version, "-V, --version");
  const add = (command: Command, one: CommandSpec, called: string): void => {
    declare(command, one);
    command.action(async () => {
      refuseSlips(command, one, called);
      status = await one.run(given(command, one), console);
    });
  };
  const called = calledIn(spec, args);
  // The options of a program are not those of its commands, which may have the same names.
  if (called.main !== undefined) add(program, await called.main(), spec.name);
  for (const load of called.commands) {
    const command = await load();
    add(place(program, command.name, spec, console), command, `${spec.name} ${command.name}`);
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    return reportError(spec, error, console);
  }
}

/** The command that is called; all of them for --help and for a name that is none. */
function calledIn(
  { main, commands = {} }: ProgramSpec,
  args: readonly string[],
): Pick<ProgramSpec, "main"> & {
  readonly commands: readonly (() => Promise<CommandSpec>)[];
} {
  const names = args.map((_, at) => args.slice(0, at + 1).join(" "));
  const called = names.find((name) => Object.hasOwn(commands, name));
  if (called !== undefined) return { commands: [commands[called]!] };
  const isGroup = Object.keys(commands).some((name) => name.startsWith(`${names[0]} `));
  return { commands: Object.values(commands), ...(main !== undefined && !isGroup && { main }) };
}

/** The place of a command in the program, its groups made when it is the first there. */
function place(program: Command, name: string, { groups = {} }: ProgramSpec, console: Console): Command {
  const words = name.split(" ");
  let parent = program;
  for (const [at, word] of words.slice(0, -1).entries()) {
    const group = words.slice(0, at + 1).join(" ");
    const about = groups[group] ?? `see ${program.name()} ${group} --help`;
    parent =
      parent.commands.find((command) => command.name() === word) ??
      configure(parent.command(word), console).description(about);
  }
  return configure(parent.command(words.at(-1)!), console);
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
  if (argument !== undefined) {
    const name = argument.several === true ? `${argument.name}...` : argument.name;
    command.argument(argument.optional === true ? `[${name}]` : `<${name}>`, argument.about);
  }
  for (const { flags, about: text, required, default: value, repeatable } of options) {
    const declared = flags.replace(/ (\S+)$/, " <$1>");
    const told = required === true ? `${text} (required)` : text;
    if (repeatable === true) command.option(declared, told, collect);
    else command.option(declared, told, value);
  }
  // Commander would name an option as missing whose name is only mistyped, or taken for the value of another.
  command.allowExcessArguments();
  command.addHelpText(
    "after",
    `\nExample${examples.length > 1 ? "s" : ""}:\n${examples.map((line) => `  $ ${line}\n`).join("")}`,
  );
}

/** Of an option that may be given several times. */
function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Slips of the keyboard that commander would blame on something else. @throws {PeError} `PE_PARAMETER` */
function refuseSlips(command: Command, spec: CommandSpec, called: string): void {
  const { name, argument, options } = spec;
  const help = `see ${called} --help`;
  const flags = new Set(command.options.map(({ long }) => long));
  for (const option of command.options) {
    const value = command.getOptionValue(option.attributeName()) as string | readonly string[] | boolean | undefined;
    const taken = [value].flat().find((one) => typeof one === "string" && flags.has(one));
    if (taken !== undefined)
      throw new PeError("PE_PARAMETER", `Cannot read ${option.long}: ${taken} follows it, not a value; ${help}`);
  }
  const [extra] = argument?.several === true ? [] : command.args.slice(argument === undefined ? 0 : 1);
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
  if (argument !== undefined)
    values.push([argument.name, argument.several === true ? [...command.args] : command.args[0]]);
  return new Given(values);
}

/** One line: what was wrong, where, what to do, and the code. A broken invariant keeps its stack. */
function reportError({ name }: ProgramSpec, error: unknown, console: Console): number {
  if (error instanceof CommanderError) return reportUsage(name, error, console);
  if (error instanceof AssertionError) throw error;
  const known = error instanceof PeError ? error : asPeError(error, "PE_UNEXPECTED", "Unexpected error");
  console.stderr(`${name}: ${oneLine(known.message)} [${known.code}]\n`);
  if (process.env.PE_TRACE !== undefined) console.stderr(`${traceOf(known)}\n`);
  return known.exit;
}

function traceOf(error: Error): string {
  return `${error.stack}${error.cause instanceof Error ? `\ncaused by ${traceOf(error.cause)}` : ""}`;
}

function reportUsage(name: string, error: CommanderError, console: Console): number {
  if (error.exitCode === 0) return EXIT.ok;
  const text = error.code === "commander.help" ? "name a command" : oneLine(error.message.replace(/^error: /, ""));
  console.stderr(`${name}: ${text}; see --help [PE_PARAMETER]\n`);
  return EXIT.usage;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}
