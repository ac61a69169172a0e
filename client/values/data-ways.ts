/** How a client reaches data that are too large for messages: values at workers, and the store that scattered data go to. */
import { openPartStore, SCHEDULERS_OWN, storeForJob, type PartStore } from "../../data/part-store.ts";
import type { AccessGrant } from "../../protocol/access-file.ts";
import { createFetcher } from "../../protocol/transfer/fetching.ts";
import type { FetchValue } from "./value-fetcher.ts";

export interface DataWays {
  readonly fetchValue: FetchValue;
  /** Where tasks find parts of scattered data. */
  partsUrl(): Promise<string>;
  /** The same store, for parts that go when the job is released. */
  partsOf(job: string): Promise<PartStore>;
  close(): Promise<void>;
}

/** Of a cluster: straight from workers, else through the scheduler. @param grant The present one. */
export function clusterWays(grant: () => AccessGrant): DataWays {
  const fetcher = createFetcher();
  return {
    fetchValue: async (request) => await fetcher.fetchValue({ ...request, relay: grant() }),
    partsUrl: async () => await Promise.resolve(SCHEDULERS_OWN),
    partsOf: async (job) => {
      const { url, token, ca } = grant();
      const access = { schedulerUrl: url, ...(token !== undefined && { token }), ...(ca !== undefined && { ca }) };
      return await Promise.resolve(openPartStore(storeForJob(SCHEDULERS_OWN, job), access));
    },
    close: async () => await Promise.resolve(fetcher.close()),
  };
}
