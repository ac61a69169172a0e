/** Limits and times of the worker's core. Times are milliseconds of the shell's monotonic clock. */

/** Estimated work of one frame, as the scheduler's FRAME_US: hand-over to a thread costs some 100 us. */
export const FRAME_TARGET_US = 20_000;
/**
 * A slot with less work than this gets its next frame early: its tasks are reported every 20 ms, and on a machine whose threads
 * all compute, the main thread wakes up a millisecond late and more.
 */
export const AHEAD_US = 40_000;
export const FRAME_TASKS_MAX = 512;
/** A task that nobody wants any more may go on for so long before its thread is ended. */
export const DROP_GRACE_MS = 1000;
/** A scheduler that says nothing for so long is gone, or the network is: heartbeats are answered. */
export const SCHEDULER_LOST_AFTER_MS = 5500;
/** A gap between ticks beyond this is the worker's own: it was stopped, and its tasks with it. */
export const TICK_GAP_MS = 2000;
/**
 * The scheduler takes a name for taken until it has noticed that this worker's last connection is gone. A worker that is
 * refused for so long has a namesake.
 */
export const NAME_TAKEN_GRACE_MS = 10_000;
/** A worker that leaves waits so long for its values to be fetched by others. */
export const MOVE_VALUES_MS = 30_000;
/** Entries of one report. */
export const REPORT_TASKS_MAX = 1000;
export const REPORT_BYTES_MAX = 256 * 1024;
