/** pe-client cluster ENGINE scale N. */
import { JSON_OPTION, type CommandSpec } from "../../../../common/command-line/command.ts";
import { printResult } from "../../../../common/command-line/console.ts";
import { counted } from "../../../../common/counted.ts";
import { EXIT } from "../../../../common/errors.ts";
import type { Engine } from "../../../engines/engine.ts";
import { scaleCluster } from "../../../engines/operate.ts";
import { DRAIN_OPTION, joinOption, nameOption, readSeconds, readWorkers, teller } from "./options.ts";

export function scaleCommand(engine: Engine): CommandSpec {
  return {
    name: `cluster ${engine.name} scale`,
    about:
      `Change how many workers a cluster ${engine.where} has: new ones join, those that leave finish what they run. ` +
      "With 0 the scheduler waits for better times.",
    argument: { name: "N", about: "how many workers there are to be" },
    options: [nameOption(engine), joinOption(engine), DRAIN_OPTION, JSON_OPTION],
    examples: [`pe-client cluster ${engine.name} scale 8`],
    run: async (given, console) => {
      const name = given.needed("name");
      const wanted = readWorkers(given.needed("N"));
      const waits = { joinSeconds: readSeconds(given, "join-timeout"), drainSeconds: readSeconds(given, "drain") };
      const { workers, problem } = await scaleCluster(engine, name, wanted, waits, teller(console));
      if (problem !== undefined) throw problem;
      printResult(
        console,
        given.flag("json"),
        { name, workers },
        `cluster "${name}" has ${counted(workers, "worker")}`,
      );
      return EXIT.ok;
    },
  };
}
