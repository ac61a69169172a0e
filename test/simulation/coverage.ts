import type { SchedulerState } from "../../scheduler/core/state.ts";
import type { SchedulerEvent } from "../../scheduler/core/events.ts";
import type { WorkerState } from "../../worker/core/state.ts";
import type { WorkerEvent } from "../../worker/core/events.ts";
export interface Coverage {
  beforeScheduler(state: SchedulerState, event: SchedulerEvent): void;
  afterScheduler(state: SchedulerState): void;
  beforeWorker(state: WorkerState, event: WorkerEvent): void;
  afterWorker(state: WorkerState): void;
}
