/** What the commands of a cluster have in common. */
import type { Given, OptionSpec } from "../../../../common/command-line/command.ts";
import type { Console } from "../../../../common/command-line/console.ts";
import { PeError } from "../../../../common/errors.ts";
import type { Engine } from "../../../engines/engine.ts";

/** More than a scheduler tells of. */
const WORKERS_MAX = 1024;
const SECONDS_MAX = 1_000_000;

export function nameOption({ name }: Engine): OptionSpec {
  return { flags: "--name NAME", about: "of the cluster, where there are several", default: name };
}

export function joinOption({ joinSeconds }: Engine): OptionSpec {
  return { flags: "--join-timeout SECONDS", about: "how long workers may take to join", default: String(joinSeconds) };
}

export const DRAIN_OPTION: OptionSpec = {
  flags: "--drain SECONDS",
  about: "how long a worker that leaves may finish what it runs before it is told to end at once",
  default: "60",
};

/** @throws {PeError} `PE_PARAMETER` */
export function readWorkers(text: string): number {
  const workers = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (workers <= WORKERS_MAX) return workers;
  throw new PeError("PE_PARAMETER", `Cannot use "${text}" workers: expected a whole number from 0 to ${WORKERS_MAX}`);
}

/** @throws {PeError} `PE_PARAMETER` */
export function readSeconds(given: Given, option: string): number {
  const text = given.needed(option);
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (seconds <= SECONDS_MAX) return seconds;
  throw new PeError("PE_PARAMETER", `Cannot read --${option} "${text}": expected seconds, such as 60`);
}

/** What is going on, for people, beside the result. */
export function teller(console: Console): (text: string) => void {
  return (text) => console.stderr(`${text}\n`);
}
