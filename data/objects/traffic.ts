/** What was asked of a store, each try counted: what a bill counts, and what a benchmark compares. */
export interface Traffic {
  lists: number;
  stats: number;
  reads: number;
  writes: number;
  removals: number;
  bytesRead: number;
  bytesWritten: number;
}

export function noTraffic(): Traffic {
  return { lists: 0, stats: 0, reads: 0, writes: 0, removals: 0, bytesRead: 0, bytesWritten: 0 };
}
