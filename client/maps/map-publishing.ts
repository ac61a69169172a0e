/** From parts to a maps file and its report: the same for a job of this machine, of a cluster, and for parts found later. */
import type { MapSource } from "../../data/maps.ts";
import { publishMaps } from "../../data/maps.ts";
import { KERNEL_VERSION } from "../../kernel/index.ts";
import { packageVersion } from "../../common/version.ts";
import { reducePe, type PartReader } from "../../tasks/pe/reduce.ts";
import { buildReport, type ComputedJob, type MapJobReport } from "./map-report.ts";
import { withHashes } from "./output-check.ts";

export interface Publication {
  /** Where the file is made, on this machine. */
  readonly path: string;
  /** What the user calls it. */
  readonly output: string;
  /** The input as the maps file knows it: `checkOutput` tells. */
  readonly source: MapSource;
  /** Replaces maps of another input under the same names. */
  readonly replace: boolean;
  readonly parts: PartReader;
  /** Of `performance.now()`, when the command began. */
  readonly startMs: number;
  readonly planMs: number;
}

/**
 * Reduces the parts of a job, merges its maps into the output, reads them back, and tells what there is now. The caller
 * holds the lock of the output.
 *
 * @throws {PeError} `PE_RESULTS_UNREADABLE` when a part is gone; `PE_MAPS_CONFLICT`, `PE_DISK_FULL` and others of
 *   `publishMaps`. The old file then stays.
 */
export async function publishJob(computed: ComputedJob, publication: Publication): Promise<MapJobReport> {
  const { job, ends } = computed;
  const { path, output, source, replace, parts, startMs, planMs } = publication;
  const publishStartMs = performance.now();
  const reduced = await reducePe(job.manifest, ends, parts);
  const published = await publishMaps(path, {
    xSize: job.manifest.grid.xSize,
    ySize: job.manifest.grid.ySize,
    source: withHashes(source, reduced.hashes),
    software: `pe-cluster ${packageVersion()}`,
    kernel: KERNEL_VERSION,
    dateIso: new Date().toISOString(),
    coordinates: reduced.coordinates,
    owners: reduced.owners,
    maps: reduced.maps,
    replace,
  });
  const nowMs = performance.now();
  const timing = {
    wallMs: nowMs - startMs,
    planMs,
    computeMs: computed.wallMs,
    publishMs: nowMs - publishStartMs,
  };
  return await buildReport({ computed, path, output, source, reduced, published, timing });
}
