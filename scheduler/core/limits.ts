/** Every limit and time of the scheduler's core. Times are milliseconds of the shell's monotonic clock. */

/** What workers are told; renews leases. */
export const HEARTBEAT_MS = 500;
/** Silent for so long, a worker gets no work, and what it has not begun may go elsewhere. */
export const SUSPECT_AFTER_MS = 2500;
/** Silent for so long, a worker is lost: all it held runs elsewhere. */
export const LOST_AFTER_MS = 5500;
/** A hand-out that its own worker no longer names in heartbeats for so long is queued again. */
export const LEASE_MS = 4000;
/** After a restart, workers have so long to re-join with what they run before it is handed out again. */
export const RECOVERY_GRACE_MS = 3000;
/** A job that ends with its last watcher waits so long for one to come back. */
export const TRANSIENT_GRACE_MS = 60_000;

/** Estimated work that a worker holds per slot: enough that a slot never waits for a message. */
export const CREDIT_US = 20_000;
/** Tasks per slot that a worker holds whatever they take: one runs, one waits. */
export const HELD_PER_SLOT_MIN = 2;
export const HELD_PER_SLOT_MAX = 2048;
/** One message to a worker. */
export const ASSIGN_TASKS_MAX = 1000;
export const ASSIGN_BYTES_MAX = 256 * 1024;

/** Deaths of a thread or worker under a task, running alone since the first, until it is failed as poison. */
export const DEATHS_MAX = 3;
/** Of one result in a report. Larger ones are parts or values. */
export const RESULT_BYTES_MAX = 64 * 1024;
export const ATTEMPTS_MAX = 65_535;
export const JOBS_MAX = 1_000_000;
export const WORKERS_MAX = 4096;
/** Transitions remembered for stories, all tasks together. */
export const STORY_RING = 65_536;
export const STORY_LINES_MAX = 32;
