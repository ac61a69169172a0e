/** A command as data: what it takes, an example, and what it does. `program.ts` makes a command line of it. */
import { PeError } from "../errors.ts";
import type { Console } from "./console.ts";

export interface OptionSpec {
  /** `--name VALUE` for a value, `--name` for a switch. */
  readonly flags: string;
  readonly about: string;
  readonly required?: boolean;
  readonly default?: string;
  /** May be given several times: `Given.texts` has the values in their order. */
  readonly repeatable?: boolean;
}

export interface CommandSpec {
  /** As typed: `run`, or `access new` for one of a group. */
  readonly name: string;
  readonly about: string;
  readonly argument?: ArgumentSpec;
  readonly options: readonly OptionSpec[];
  /** Shown by --help; a line that works when pasted. */
  readonly examples: readonly string[];
  /** @returns The exit status. */
  run(given: Given, console: Console): Promise<number>;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  /** One or more: `Given.texts` has them in their order. */
  readonly several?: boolean;
}

/** What the user gave to a command. */
export class Given {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: Iterable<readonly [string, unknown]>) {
    this.#values = new Map(values);
  }

  /** Value of an option or argument by its name without dashes, `undefined` when not given. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Values of an option or argument that may be given several times. */
  texts(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as string[]) : [];
  }

  /** Value of something that is required or has a default. */
  needed(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "")
      throw new PeError("PE_PARAMETER", `Cannot run without a value for ${name}`);
    return value;
  }

  has(name: string): boolean {
    return this.#values.get(name) !== undefined;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  /** The value parsed, or `undefined` when not given. */
  parsed<Value>(name: string, parse: (text: string) => Value): Value | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parse(text);
  }
}

/** The same words for the same option in every command. */
export const JSON_OPTION: OptionSpec = { flags: "--json", about: "print the result as JSON on stdout" };
