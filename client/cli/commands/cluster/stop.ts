/** pe-client cluster ENGINE stop. */
import { JSON_OPTION, type CommandSpec } from "../../../../common/command-line/command.ts";
import { printResult } from "../../../../common/command-line/console.ts";
import { EXIT } from "../../../../common/errors.ts";
import { clusterFiles, clusterFolder } from "../../../engines/cluster-record.ts";
import type { Engine } from "../../../engines/engine.ts";
import { stopCluster } from "../../../engines/operate.ts";
import { DRAIN_OPTION, nameOption, readSeconds, teller } from "./options.ts";

export function stopCommand(engine: Engine): CommandSpec {
  return {
    name: `cluster ${engine.name} stop`,
    about:
      `End a cluster ${engine.where}: workers finish what they run, then the scheduler ends; tokens are removed. The journal and ` +
      "the logs stay, and a start of the same name goes on where it was. None is fine too.",
    options: [
      nameOption(engine),
      DRAIN_OPTION,
      { flags: "--forget", about: "forget it also where machines do not answer, whatever may still run there" },
      {
        flags: "--purge",
        about: "remove the journal with its jobs and results too, the logs, and copies of the package",
      },
      JSON_OPTION,
    ],
    examples: [`pe-client cluster ${engine.name} stop`, `pe-client cluster ${engine.name} stop --purge`],
    run: async (given, console) => {
      const name = given.needed("name");
      const purge = given.flag("purge");
      const how = { drainSeconds: readSeconds(given, "drain"), purge, forget: given.flag("forget") };
      const outcome = await stopCluster(engine, name, how, teller(console));
      const { journal } = clusterFiles(clusterFolder(name));
      const text = {
        ended: `cluster "${name}" has ended; ${purge ? "nothing is left of it" : `its journal stays in ${journal}`}`,
        purged: `no cluster "${name}" runs; what was left of it is removed`,
        none: `no cluster "${name}" runs`,
      }[outcome];
      printResult(console, given.flag("json"), { name, stopped: outcome === "ended", purged: purge }, text);
      return EXIT.ok;
    },
  };
}
