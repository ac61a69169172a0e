/**
 * A full disk under a run of this machine. Scheduler and worker wait for room and lose nothing, which is right where others
 * make room; a run in a terminal should rather say so and end, to go on when it is called again.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { writeDurably } from "../../data/durable.ts";

/** So long nothing has ended before the disk is looked at. */
const LOOK_MS = 1000;

export interface DiskWatch {
  /** Rejects when the disk is full; never resolves. */
  readonly full: Promise<never>;
  /** Something was stored: there is room. */
  stored(): void;
  stop(): void;
}

/**
 * @param folder Where parts are stored.
 * @param bytes What must fit for the work to go on: about one part.
 */
export function watchDisk(folder: string, bytes: number): DiskWatch {
  let isQuiet = false;
  let isLooking = false;
  let tell!: (error: PeError) => void;
  const full = new Promise<never>((_, reject) => (tell = reject));
  // Nobody listens before the work begins.
  full.catch(() => undefined);
  const look = async (): Promise<void> => {
    const probe = join(folder, "probe");
    try {
      await writeDurably(probe, new Uint8Array(bytes));
    } catch (error) {
      // Whatever else is wrong with the folder, its users tell better.
      if (error instanceof PeError && error.code === "PE_DISK_FULL") tell(error);
    } finally {
      await rm(probe, { force: true }).catch(() => undefined);
    }
  };
  const timer = setInterval(() => {
    if (isQuiet && !isLooking) {
      isLooking = true;
      void look().finally(() => (isLooking = false));
    }
    isQuiet = true;
  }, LOOK_MS);
  return {
    full,
    stored: () => (isQuiet = false),
    stop: () => clearInterval(timer),
  };
}
