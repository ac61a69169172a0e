/** pe-client workers: who computes. */
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { CLUSTER_OPTIONS, withCluster } from "../cluster.ts";
import { workersTable } from "../workers-table.ts";

export const workers: CommandSpec = {
  name: "workers",
  about:
    "List the workers of a scheduler: threads, tasks they hold, what they finished, memory, large results they hold.",
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client workers"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const { workers: all } = await client.status();
      printResult(console, given.flag("json"), all, workersTable(all));
      return EXIT.ok;
    }),
};
