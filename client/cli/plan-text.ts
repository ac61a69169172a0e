/** A plan before it is carried out: for people, and as a record. */
import { counted } from "../../common/counted.ts";
import { formatList, formatRanges } from "../../common/ranges.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { sharedStore } from "../../data/objects/by-address.ts";
import { readRequests } from "../../data/objects/reading-large.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";
import { inputName } from "../maps/map-report.ts";
import { formatCount, formatSeconds } from "./progress.ts";

export function planRecord({
  id,
  manifest,
  taskCount,
  seriesEstimate,
  costEstimateMs,
  warnings,
  unreadable,
}: PeJob): Readonly<Record<string, unknown>> {
  const { source, grid, common, shards } = manifest;
  return {
    job: id,
    input: { root: source.root, files: source.files.length, bytes: totalBytes(manifest) },
    grid: [grid.xSize, grid.ySize],
    series: seriesEstimate,
    samples: common.length,
    orders: common.orders,
    delays: common.delays,
    measures: common.measures,
    windows: windowsOf(seriesEstimate, common),
    shards: formatRanges(shards),
    tasks: taskCount,
    ...(isS3Url(source.root) && { requests: requestsOf(manifest) }),
    threadMs: Math.round(costEstimateMs),
    warnings,
    unreadable,
  };
}

export function planText(job: PeJob): string {
  const { manifest, seriesEstimate, taskCount, costEstimateMs, warnings, unreadable } = job;
  const { source, grid, common, shards } = manifest;
  const { orders, delays, measures, length } = common;
  const maps = orders.length * delays.length * measures.length;
  const files = `${counted(source.files.length, "file")}, ${formatBytes(totalBytes(manifest))}`;
  const isWhole = shards.length === 1 && shards[0]!.stop - shards[0]!.start === source.files.length;
  const work = `${formatCount(windowsOf(seriesEstimate, common))} windows in ${counted(taskCount, "task")}`;
  const lines = [
    `input    ${inputName(job)}: ${files}, grid ${grid.xSize} x ${grid.ySize}`,
    `series   ${seriesEstimate} of ${length} samples${isWhole ? "" : `, shards ${formatRanges(shards)}`}`,
    `maps     ${maps}: ${measures.join(", ")} at orders ${formatList(orders)}, delays ${formatList(delays)}`,
    `work     ${work}, about ${formatSeconds(Math.max(0.1, costEstimateMs / 1000))} of one core, then ${counted(maps, "map")} to write`,
    ...(isS3Url(source.root) ? [requestsText(manifest)] : []),
    ...warnings.map((warning) => `warning  ${warning}`),
    ...unreadable.map(({ message }) => `problem  ${message}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** What the job asks of an object store: shards are read once by every worker that computes from them. */
interface Requests {
  readonly list: number;
  readonly read: number;
  readonly bytesRead: number;
  /** What planning itself has read: the size of the grid. */
  readonly planning: { readonly read: number; readonly bytesRead: number };
}

/** Keys in one answer to a listing. */
const LISTED_KEYS_MAX = 1000;

function requestsOf({ source: { root, files }, tasks }: PeJob["manifest"]): Requests {
  const { reads, bytesRead } = sharedStore(root).traffic;
  const bytes = [...new Set(tasks.map(([ordinal]) => ordinal))].map((ordinal) => files[ordinal]!.bytes);
  return {
    list: Math.ceil(files.length / LISTED_KEYS_MAX),
    read: bytes.reduce((sum, length) => sum + readRequests(length), 0),
    bytesRead: bytes.reduce((sum, length) => sum + length, 0),
    planning: { read: reads, bytesRead },
  };
}

function requestsText(manifest: PeJob["manifest"]): string {
  const { list, read, bytesRead, planning } = requestsOf(manifest);
  return (
    `requests ${list} to list, ${read} to read ${formatBytes(bytesRead)}: once for each worker that computes from a shard; ` +
    `planning took ${planning.read}, ${formatBytes(planning.bytesRead)}`
  );
}

function totalBytes({ source: { files } }: PeJob["manifest"]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Windows that are looked at: lower orders come with the highest. */
function windowsOf(series: number, { orders, delays, length }: PeJob["manifest"]["common"]): number {
  return delays.reduce((sum, delay) => sum + series * Math.max(0, length - (orders.at(-1)! - 1) * delay), 0);
}

export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toPrecision(3)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
