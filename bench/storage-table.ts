/** The storage benchmark as a table for people. */
import { median } from "./measure.ts";
import type { JobName, StorageReport, StorageRun } from "./storage.ts";

const ABOUT: Readonly<Record<JobName, string>> = {
  sweep: "sweep: orders 3-7, delays 1-50",
  cheap: "cheap: order 5, delay 1",
};

export function storageTable(report: StorageReport): string {
  const cases = new Map<string, { job: JobName; threads: number }>();
  for (const { job, threads } of report.runs) cases.set(`${job} ${threads}`, { job, threads });
  return [
    `${report.shards} shards, ${(report.bytes / 1e6).toFixed(0)} MB; medians of interleaved runs; the server is on this machine`,
    ...[...cases.values()].flatMap((each) => linesOf(report, each)),
  ].join("\n");
}

function linesOf(
  { runs, bytes, clusterGetsMost }: StorageReport,
  { job, threads }: { job: JobName; threads: number },
): string[] {
  const of = (place: StorageRun["place"]): StorageRun[] =>
    runs.filter((run) => run.job === job && run.threads === threads && run.place === place);
  const [disk, s3] = [of("disk"), of("s3")];
  const both = (value: (run: StorageRun) => number, unit: string, digits = 0): string =>
    [disk, s3].map((list) => `${median(list.map(value)).toFixed(digits)} ${unit}`.padStart(12)).join("");
  const ratio = (value: (run: StorageRun) => number): string =>
    median(s3.map((run, round) => value(run) / value(disk[round]!)))
      .toFixed(2)
      .padStart(8);
  const share = (ms: (run: StorageRun) => number) => (run: StorageRun) => (100 * ms(run)) / (run.wallMs * run.threads);
  return [
    "",
    `${ABOUT[job]}, ${threads === 1 ? "1 thread" : `${threads} threads`}`.padEnd(40) +
      "        disk          S3   ratio",
    `  wall time`.padEnd(40) + both(({ wallMs }) => wallMs, "ms") + ratio(({ wallMs }) => wallMs),
    `  CPU time of this process`.padEnd(40) + both(({ cpuMs }) => cpuMs, "ms") + ratio(({ cpuMs }) => cpuMs),
    `  CPU time of the server`.padEnd(40) + both(({ serverCpuMs }) => serverCpuMs, "ms"),
    `  rate`.padEnd(40) + both(({ wallMs }) => bytes / 1000 / wallMs, "MB/s"),
    `  threads wait for input`.padEnd(40) +
      both(
        share(({ inputMs }) => inputMs),
        "%",
        1,
      ),
    `  longest wait of a task`.padEnd(40) + both(({ inputMostMs }) => inputMostMs, "ms"),
    `  threads inflate`.padEnd(40) +
      both(
        share(({ decodeMs }) => decodeMs),
        "%",
        1,
      ),
    `  threads compute`.padEnd(40) +
      both(
        share(({ computeMs }) => computeMs),
        "%",
        1,
      ),
    `  GETs of a shard, at most`.padEnd(40) +
      both(({ getsMost }) => getsMost, "") +
      `   on two workers ${clusterGetsMost[job]}`,
  ];
}
