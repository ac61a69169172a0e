/** pe-client cluster ENGINE logs. */
import { JSON_OPTION, type CommandSpec } from "../../../../common/command-line/command.ts";
import { printResult } from "../../../../common/command-line/console.ts";
import { EXIT, PeError } from "../../../../common/errors.ts";
import { knownNames } from "../../../../common/nearest.ts";
import type { Engine, ManagedCluster, Member } from "../../../engines/engine.ts";
import { openCluster } from "../../../engines/operate.ts";
import { nameOption, teller } from "./options.ts";

export function logsCommand(engine: Engine): CommandSpec {
  return {
    name: `cluster ${engine.name} logs`,
    about: `Show the last lines of the logs of a cluster ${engine.where}: of all its processes, or of one.`,
    argument: { name: "MEMBER", about: "scheduler, or a worker as status names it", optional: true },
    options: [nameOption(engine), JSON_OPTION],
    examples: [`pe-client cluster ${engine.name} logs`, `pe-client cluster ${engine.name} logs scheduler`],
    run: async (given, console) => {
      const cluster = await openCluster(engine, given.needed("name"), teller(console));
      const members = chosen(cluster, await engine.list(cluster, true), given.text("MEMBER"));
      const told = members.map(({ role, name, host, words = "" }) => ({ role, name, host, lines: linesOf(words) }));
      printResult(console, given.flag("json"), told, members.map(paragraph).join("\n\n"));
      return EXIT.ok;
    },
  };
}

/** @throws {PeError} `PE_PARAMETER` when there is none of this name. */
function chosen({ name }: ManagedCluster, members: readonly Member[], wanted: string | undefined): readonly Member[] {
  const found = members.filter((member) => wanted === undefined || member.name === wanted);
  if (found.length > 0 || wanted === undefined) return found;
  const names = members.map((member) => member.name);
  throw new PeError(
    "PE_PARAMETER",
    `Cannot show the log of "${wanted}": cluster "${name}" has ${knownNames(wanted, names)}`,
  );
}

function linesOf(words: string): string[] {
  return words === "" ? [] : words.split("\n");
}

function paragraph({ name, host, state, reason, words = "" }: Member): string {
  const why = reason === undefined ? state : `${state}: ${reason}`;
  return [`${name} on ${host} (${why})`, ...linesOf(words === "" ? "nothing logged" : words)].join("\n  ");
}
