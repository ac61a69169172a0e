/**
 * What the C library (glibc; others ignore it) is told in the environment of a worker's process.
 *
 * - Blocks of 512 KiB and more go back to the system when they are freed. By itself the library takes a block that was freed once
 *   for a sign that there will be more, and keeps up to 32 MiB each: a worker whose results went to the disk would still have their
 *   memory, and take no more work for ever.
 * - Large blocks come as huge pages. New memory otherwise costs a fault of the processor for each 4 KiB: for 15 MB that is 6 to
 *   12 ms where the machine is busy, and 1 to 2 so, less than all the rest of fetching them.
 */
const TUNABLES = "glibc.malloc.mmap_threshold=524288:glibc.malloc.hugetlb=1";

/** Of a process that holds values; what the user has set stays. */
export function workerEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { GLIBC_TUNABLES: own } = environment;
  return { ...environment, GLIBC_TUNABLES: own === undefined ? TUNABLES : `${TUNABLES}:${own}` };
}
