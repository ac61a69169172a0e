/** Watches what the process takes of the machine's memory: first no more work is taken, then the process is replaced. */

/** Of the limit: no more tasks are taken above the first, and taken again below the second. */
const PAUSE_AT = 0.8;
const RESUME_AT = 0.7;
const LOOK_EVERY_MS = 250;

export interface MemoryWatch {
  readonly limitBytes: number;
  readonly onMemory: (rssBytes: number, paused: boolean) => void;
  /** At the limit; called once. */
  readonly onExceeded: (rssBytes: number) => void;
  /** For tests. */
  readonly rss?: () => number;
}

/** @returns Ends watching. */
export function watchMemory({ limitBytes, onMemory, onExceeded, rss }: MemoryWatch): () => void {
  const read = rss ?? (() => process.memoryUsage.rss());
  let isPaused = false;
  let isExceeded = false;
  const look = (): void => {
    const rssBytes = read();
    isPaused = rssBytes > limitBytes * (isPaused ? RESUME_AT : PAUSE_AT);
    onMemory(rssBytes, isPaused || isExceeded);
    if (rssBytes <= limitBytes || isExceeded) return;
    isExceeded = true;
    onExceeded(rssBytes);
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  look();
  return () => clearInterval(timer);
}
