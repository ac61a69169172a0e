/** pe-client cluster ENGINE status. */
import { JSON_OPTION, type CommandSpec } from "../../../../common/command-line/command.ts";
import { printResult } from "../../../../common/command-line/console.ts";
import { counted } from "../../../../common/counted.ts";
import { EXIT } from "../../../../common/errors.ts";
import { isWell, viewCluster, type ClusterView, type MemberView } from "../../../engines/cluster-status.ts";
import type { Engine } from "../../../engines/engine.ts";
import { openCluster } from "../../../engines/operate.ts";
import { table } from "../../table.ts";
import { nameOption, teller } from "./options.ts";

/** Exit status: 0 when the scheduler answers and all workers compute; 66 when there is no such cluster; else 69. */
export function statusCommand(engine: Engine): CommandSpec {
  return {
    name: `cluster ${engine.name} status`,
    about: `Show a cluster ${engine.where}: its scheduler, and each worker, where it runs and how it is.`,
    options: [nameOption(engine), JSON_OPTION],
    examples: [`pe-client cluster ${engine.name} status`],
    run: async (given, console) => {
      const cluster = await openCluster(engine, given.needed("name"), teller(console));
      const view = await viewCluster(engine, cluster);
      printResult(console, given.flag("json"), recordOfView(view), statusText(view));
      return isWell(view) ? EXIT.ok : EXIT.unavailable;
    },
  };
}

/** What --json prints. */
export function recordOfView(view: ClusterView): Readonly<Record<string, unknown>> {
  const { seen, silence, members, address, ...rest } = view;
  return {
    ...rest,
    address: address ?? null,
    well: isWell(view),
    jobs: seen?.jobs.length ?? null,
    ...(silence !== undefined && { silence }),
    members: members.map(({ joined, ...member }) => ({ ...member, joined: joined ?? null })),
  };
}

function statusText({ name, engine, address, workers, seen, silence, members }: ClusterView): string {
  const jobs = seen === undefined ? `does not answer: ${silence}` : counted(seen.jobs.length, "job");
  return [
    `cluster "${name}" (${engine}): ${counted(workers, "worker")} asked for; scheduler ${address ?? "not known yet"}, ${jobs}`,
    table(["name", "host", "process", "threads", "state", "tasks held", "finished"], members.map(row)),
  ].join("\n");
}

function row({ role, name, host, process, state, reason, joined }: MemberView): string[] {
  const here = state === "running" ? (role === "worker" ? (joined?.state ?? "not joined") : state) : state;
  const why = reason === undefined ? here : `${here}: ${reason}`;
  const held = joined === undefined ? ["", ""] : [String(joined.processing), String(joined.finished)];
  return [name, host, process ?? "", joined === undefined ? "" : String(joined.slots), why, ...held];
}
