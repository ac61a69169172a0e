/**
 * States of a task and what leads from one to the other.
 *
 * - `waiting`: needs the results of tasks that have not finished. Leaves for `queued` when the last one is durable, for `erred`
 *   when one of them errs.
 * - `queued`: may be handed out. Goes back to `waiting` when, at its turn, the value of a task that it needs is lost.
 * - `processing`: handed out: exactly one worker has a lease for its present attempt.
 * - `finished`: has a result: in a report, or as a value on workers. Leaves for `released` when it is a value that nobody wants,
 *   for `queued` when its value is lost and somebody needs it.
 * - `erred`: failed for good. `retry` puts it back to `queued` (or `waiting`).
 * - `cancelled`: nobody wants it. `retry` puts it back as well.
 * - `released`: finished, its value forgotten. Back to `queued` when somebody needs it after all.
 */
export const TASK_STATES = ["waiting", "queued", "processing", "finished", "erred", "cancelled", "released"] as const;
export type TaskStateName = (typeof TASK_STATES)[number];

/** A state as a column holds it. */
export const TASK = { waiting: 0, queued: 1, processing: 2, finished: 3, erred: 4, cancelled: 5, released: 6 } as const;
export type TaskState = (typeof TASK)[TaskStateName];

/** `MAY_FOLLOW[from][to]`; asserted at each transition. */
export const MAY_FOLLOW: Readonly<Record<TaskStateName, readonly TaskStateName[]>> = {
  waiting: ["queued", "erred", "cancelled"],
  queued: ["waiting", "processing", "erred", "cancelled"],
  processing: ["queued", "finished", "erred", "cancelled"],
  finished: ["released", "queued"],
  erred: ["waiting", "queued"],
  cancelled: ["waiting", "queued"],
  released: ["queued"],
};

const ALLOWED: readonly (readonly boolean[])[] = TASK_STATES.map((from) =>
  TASK_STATES.map((to) => MAY_FOLLOW[from].includes(to)),
);

export function mayFollow(from: TaskState, to: TaskState): boolean {
  return ALLOWED[from]![to]!;
}
