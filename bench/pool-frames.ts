/** Frames through the pool of threads alone: no scheduler, no connection, no journal. */
import { asPeError, PeError } from "../common/errors.ts";
import type { TaskDone } from "../worker/core/events.ts";
import type { Frame } from "../worker/threads/frame.ts";
import type { WorkerPool } from "../worker/threads/pool.ts";

/** What runs and what comes next, as a worker has it. */
const FRAMES_AHEAD = 2;

/**
 * Runs frames on all threads until there are no more.
 *
 * @throws {PeError} the first task's error.
 */
export async function runFrames(
  pool: WorkerPool,
  nextFrame: () => Frame | undefined,
  onDone: (done: TaskDone) => void,
): Promise<void> {
  await pool.listKinds();
  await Promise.all(Array.from({ length: pool.threads }, async () => await runLane(pool, nextFrame, onDone)));
}

async function runLane(
  pool: WorkerPool,
  nextFrame: () => Frame | undefined,
  onDone: (done: TaskDone) => void,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    /** Tasks of each frame that have not ended. */
    const left: number[] = [];
    const give = (): void => {
      while (left.length < FRAMES_AHEAD) {
        const frame = nextFrame();
        if (frame === undefined) break;
        left.push(frame.tasks.length);
        lane.run(frame);
      }
      if (left.length > 0) return;
      lane.close();
      resolve();
    };
    const lane = pool.openLane({
      onEnded: ({ done, failed }) => {
        for (const { task, message } of failed) reject(new PeError("PE_TASK_FAILED", `Task ${task}: ${message}`));
        for (const task of done) onDone(task);
        let ended = done.length;
        while (ended > 0) {
          const some = Math.min(ended, left[0]!);
          left[0]! -= some;
          ended -= some;
          if (left[0] === 0) left.shift();
        }
        give();
      },
      onDied: (reason) => reject(asPeError(new Error(reason), "PE_TASK_FAILED", "A thread died")),
    });
    give();
  });
}
