import { expect, test } from "vitest";
import type { JournalRecord } from "../../../../protocol/journal-records.ts";
import { createSchedulerCore } from "../../../../scheduler/core/core.ts";
import { RECOVERY_GRACE_MS } from "../../../../scheduler/core/limits.ts";

const NOW_MS = 1000;
const options = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] };
const opened: JournalRecord[] = [
  {
    type: "opened",
    job: 1,
    id: "a",
    kind: "noop",
    version: "1",
    common: new Uint8Array(0),
    maxFails: 0,
    transient: false,
  },
  { type: "appended", job: 1, count: 3, options },
];

function dispatchFromMs(records: readonly JournalRecord[], graceMs?: number): number {
  const recovered = { records, sequence: records.length, ...(graceMs !== undefined && { graceMs }) };
  return createSchedulerCore(recovered, NOW_MS).core.state.dispatchFromMs;
}

test("createSchedulerCore() waits for workers of the life before, unless it is told that there are none", () => {
  expect(dispatchFromMs(opened)).toBe(NOW_MS + RECOVERY_GRACE_MS);
  expect(dispatchFromMs(opened, 0)).toBe(NOW_MS);
});

test("createSchedulerCore() waits for nobody where nothing is left to do", () => {
  expect(dispatchFromMs([])).toBe(NOW_MS);
});
