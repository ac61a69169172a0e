/** Simulated laser data in the shard format: semiconductor lasers with optical feedback or optical injection. */
export { aboutFolder } from "./folder.ts";
export { planSimulation, type SimulateJob } from "./plan.ts";
export { simulate, type SimulateSummary } from "./run.ts";
export type { SimulateRequest } from "./schema.ts";
