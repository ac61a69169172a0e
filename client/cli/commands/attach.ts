/** pe-client attach: wait for a job that was submitted from anywhere, and make its maps here. */
import { EXIT } from "../../../common/errors.ts";
import { counted } from "../../../common/counted.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import type { ErrorRecord } from "../../../common/errors.ts";
import { followJob } from "../../maps/job-following.ts";
import { findMaps, type MapsOnCluster } from "../../maps/maps-on-cluster.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { COLLECT_OPTIONS, collectHere } from "../collecting.ts";
import { createProgress, jobState } from "../progress.ts";
import { withS3Options } from "../s3-options.ts";

export const attach: CommandSpec = withS3Options({
  name: "attach",
  about: "Wait for a job and make its maps, or the result files of its task list, on this machine.",
  argument: { name: "job", about: "id of the job, or its beginning" },
  options: [
    { flags: "--output FILE", about: "maps file to make or to merge into, or s3://bucket/key (default: only wait)" },
    ...COLLECT_OPTIONS,
    ...CLUSTER_OPTIONS,
    JSON_OPTION,
  ],
  examples: ["pe-client attach 3f2a9c --output maps.hdf5"],
  run: async (given, console) => {
    const startMs = performance.now();
    return await withCluster(given, console, async (cluster) => {
      const maps = await findMaps(cluster, await findJobId(cluster.client, given.needed("job")));
      return given.has("output") || maps.record.results.length > 0
        ? await collectHere(cluster, [maps], { startMs, planMs: 0, now: false }, given, console)
        : await wait(maps, given, console);
    });
  },
});

/** Only waits: another machine makes the maps. */
async function wait({ record, cluster, before }: MapsOnCluster, given: Given, console: Console): Promise<number> {
  const progress = createProgress(console, "computing");
  const signals = stopOnSignals(console, "no longer waiting; the job goes on (again to leave at once)");
  try {
    const { ends, summaries, cancelled } = await followJob(cluster, record.job, {
      before,
      signal: signals.signal,
      onProgress: (state) => progress.update(jobState(state)),
    });
    progress.end();
    const errors = [...ends.values()].flatMap((end): ErrorRecord[] => ("error" in end ? [end.error] : []));
    const result = { job: cluster.id, finished: summaries.size, failed: errors, cancelled: cancelled.size };
    const lines = [
      `${counted(summaries.size, "task")} of ${record.job.taskCount} finished, ${errors.length} failed, ${cancelled.size} cancelled`,
      ...errors.map(({ code, message }) => `problem: ${message} [${code}]`),
      ...(signals.signal.aborted ? [] : [`pe-client reduce ${cluster.id} --output maps.hdf5 makes the maps`]),
    ];
    printResult(console, given.flag("json"), result, lines.join("\n"));
    if (signals.signal.aborted) return EXIT.interrupted;
    return errors.length + cancelled.size === 0 ? EXIT.ok : EXIT.dataError;
  } finally {
    progress.end();
    signals.release();
  }
}
