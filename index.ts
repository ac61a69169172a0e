/**
 * pe-cluster: permutation entropy maps of laser data.
 *
 * The one public entry: the kernel (numbers), figures, the client of a cluster, and the jobs of the client.
 */
export { ERROR_CODES, PeError } from "./common/errors.ts";
export type { ErrorCode, ErrorRecord } from "./common/errors.ts";
export {
  createSweep,
  firstNonFinite,
  KERNEL_VERSION,
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
  statisticalComplexity,
  weightedPermutationEntropy,
} from "./kernel/index.ts";
export type {
  EntropiesOptions,
  EntropyOptions,
  KernelPath,
  Measure,
  Series,
  Sweep,
  SweepOptions,
  SweepOutcome,
} from "./kernel/index.ts";
export { renderMap, renderScan, renderSheet, svgToPng } from "./plot/index.ts";
export type { ColourTable, MapAxis, MapFigure, ScanFigure, SheetFigure } from "./plot/index.ts";
export { Client } from "./client/client.ts";
export type { ClusterStatus, ConnectOptions } from "./client/client.ts";
export type { ClusterJob, JobDescription, JobStatus } from "./client/cluster-job.ts";
export type { FutureStatus } from "./client/futures/batch.ts";
export type { Future } from "./client/futures/future.ts";
export type { TaskEnd } from "./client/jobs/job-ends.ts";
export type { LocalOptions } from "./client/local-cluster.ts";
export type { TaskOptions } from "./client/task-options.ts";
export type { ReplicateOptions, ValueHolders } from "./client/futures/value-requests.ts";
export type { ScatterOptions } from "./client/values/scatter.ts";
export { computeMaps } from "./client/maps/map-job.ts";
export type { MapJobOptions, MapJobProgress, MapJobReport } from "./client/maps/map-job.ts";
export { simulateShards } from "./client/simulation.ts";
export type { SimulationOptions, SimulationReport } from "./client/simulation.ts";
