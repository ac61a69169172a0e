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
export const CREDIT_US = 50_000;
/** Tasks per slot that a worker holds whatever they take: one runs, one waits. */
export const HELD_PER_SLOT_MIN = 2;
export const HELD_PER_SLOT_MAX = 2048;
/** One message to a worker. */
export const ASSIGN_TASKS_MAX = 1000;
export const ASSIGN_BYTES_MAX = 256 * 1024;

/** What a slot works on at a time: the worker's frame. Of a task that takes longer, or nobody knows how long, it is one. */
export const FRAME_US = 20_000;
export const FRAME_TASKS_MAX = 512;
/**
 * Frames that a slot may have begun and not told: the report of one may be on its way, or its part to the store, while it
 * works on the next. Of what a dead worker held, only that is suspected.
 */
export const UNTOLD_FRAMES_MAX = 2;
/** After an error of its surroundings a worker rests, twice as long after each that follows. */
export const REST_MS = 500;
export const REST_MS_MAX = 16_000;
/** A second worker of one name is refused while the first was heard within this time. */
export const NAME_FREE_AFTER_MS = 1000;

/** Deaths of a thread or worker under a task, running alone since the first, until it is failed as poison. */
export const DEATHS_MAX = 3;
/** A worker whose connection closed under a task has so long to come back and clear it before the last verdict. */
export const VERDICT_AFTER_MS = 5500;
/** Of one result in a report. Larger ones are parts or values. */
export const RESULT_BYTES_MAX = 64 * 1024;
export const ATTEMPTS_MAX = 0xffff_ffff;
export const JOBS_MAX = 1_000_000;
/** Numbers of jobs, living and gone: a number of a job and one of a task make one exact number. */
export const JOB_NUMBER_MAX = 2 ** 29 - 1;
export const WORKERS_MAX = 4096;
/** Of all jobs together. A task without key, parameters and needs costs some 25 bytes. */
export const TASKS_MAX = 50_000_000;
/** A Map holds no more than 2^24. */
export const KEYS_MAX = 10_000_000;
export const NEEDS_MAX = 50_000_000;
/** Labels of groups whose last worker is remembered. */
export const LABELS_MAX = 100_000;
/** Of parameters and results. */
export const HELD_BYTES_MAX = 4 * 2 ** 30;
/** Transitions remembered for stories, all tasks together. */
export const STORY_RING = 65_536;
export const STORY_LINES_MAX = 32;
