import { afterEach, describe, expect, test, vi } from "vitest";
import { PeError, type ErrorCode } from "../../../common/errors.ts";
import { failureOf, storeFailureOf } from "../../../worker/failure.ts";
import { OUTAGE_MS } from "../../../worker/outage.ts";

let buckets = 0;

/** Of a store that no other test has met: the module remembers them. */
function away(code: ErrorCode): PeError {
  const where = `s3://bucket-${buckets++}/a`;
  return new PeError(code, `Cannot read ${where}: away`, { details: { where } });
}

function passMs(ms: number): void {
  const nowMs = performance.now();
  vi.spyOn(performance, "now").mockReturnValue(nowMs + ms);
}

afterEach(() => vi.restoreAllMocks());

describe("failureOf()", () => {
  test("blames a task for a store that is away only when it stays away", () => {
    const error = away("PE_STORE_UNAVAILABLE");
    expect(failureOf(error, "x")).toMatchObject({ code: "PE_STORE_UNAVAILABLE", blameless: true, endsJob: false });
    passMs(OUTAGE_MS);
    expect(failureOf(error, "x")).toMatchObject({ code: "PE_STORE_UNAVAILABLE", blameless: false, endsJob: false });
  });

  test("never blames a task for a connection, always for its own errors", () => {
    const error = away("PE_CONNECTION");
    failureOf(error, "x");
    passMs(OUTAGE_MS);
    expect(failureOf(error, "x")).toMatchObject({ blameless: true });
    expect(failureOf(away("PE_OBJECT_DENIED"), "x")).toMatchObject({ blameless: false });
    const own = failureOf(new Error("own"), "Task 1 failed");
    expect(own).toMatchObject({ code: "PE_TASK_FAILED", message: "Task 1 failed: own", blameless: false });
  });
});

describe("storeFailureOf()", () => {
  test.each(["PE_STORE_UNAVAILABLE", "PE_CREDENTIALS"] as const)(
    "waits for %s of a store of parts, and ends the job when it stays so",
    (code) => {
      const error = away(code);
      expect(storeFailureOf(error)).toMatchObject({ code, blameless: true, endsJob: false });
      passMs(OUTAGE_MS);
      expect(storeFailureOf(error)).toMatchObject({ code, blameless: false, endsJob: true });
    },
  );

  test("waits for room on a disk for ever", () => {
    const error = away("PE_DISK_FULL");
    storeFailureOf(error);
    passMs(OUTAGE_MS);
    expect(storeFailureOf(error)).toMatchObject({ blameless: true, endsJob: false });
  });
});
