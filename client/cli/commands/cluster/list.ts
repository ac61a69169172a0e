/** pe-client cluster list: the clusters of this user, of all engines. */
import { JSON_OPTION, type CommandSpec } from "../../../../common/command-line/command.ts";
import { printResult } from "../../../../common/command-line/console.ts";
import { EXIT } from "../../../../common/errors.ts";
import { readAccessFile } from "../../../../protocol/access-file.ts";
import { clusterFiles, clusterFolder, clusterNames, readRecord } from "../../../engines/cluster-record.ts";
import { table } from "../../table.ts";

export const list: CommandSpec = {
  name: "cluster list",
  about: "List the clusters that were started from here and not stopped. Asks no machine: see cluster ENGINE status.",
  options: [JSON_OPTION],
  examples: ["pe-client cluster list"],
  run: async (given, console) => {
    const all = await Promise.all((await clusterNames()).map(about));
    const rows = all.map(({ name, engine, workers, address, started }) => [
      name,
      engine,
      workers,
      address ?? "",
      started,
    ]);
    const text =
      all.length === 0
        ? "no clusters; start one: pe-client cluster local start"
        : table(["name", "engine", "workers", "scheduler", "since"], rows);
    printResult(console, given.flag("json"), all, text);
    return EXIT.ok;
  },
};

async function about(name: string) {
  const folder = clusterFolder(name);
  const { access: accessFile } = clusterFiles(folder);
  const [record, access] = await Promise.all([readRecord(folder), readAccessFile(accessFile)]);
  return {
    name,
    engine: record?.engine ?? "",
    workers: record?.workers ?? 0,
    address: access?.url ?? null,
    accessFile,
    folder,
    started: record?.started ?? "",
  };
}
