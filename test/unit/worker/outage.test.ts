import { describe, expect, test } from "vitest";
import { PeError, type ErrorCode } from "../../../common/errors.ts";
import { OUTAGE_MS, outages, type Outages } from "../../../worker/outage.ts";

const MINUTE_MS = 60_000;

function failing(where: string, code: ErrorCode = "PE_STORE_UNAVAILABLE"): PeError {
  return new PeError(code, `Cannot read ${where}: away`, { details: { where } });
}

/** Whether a task that meets it is not to blame. */
function isPassing({ meet }: Outages, error: PeError, nowMs: number): boolean {
  const outage = meet(error, nowMs);
  return outage !== undefined && Math.max(outage.ofStoreMs, outage.ofObjectMs) < OUTAGE_MS;
}

describe("outages()", () => {
  test.each(["PE_STORE_UNAVAILABLE", "PE_CREDENTIALS", "PE_DISK_FULL"] as const)("%s passes at first", (code) => {
    expect(isPassing(outages(), failing("s3://b/a", code), 5)).toBe(true);
    expect(isPassing(outages(), new PeError(code, "no place named"), 5)).toBe(true);
  });

  test.each(["PE_OBJECT_DENIED", "PE_OBJECT_MISSING", "PE_OBJECT_CORRUPT", "PE_OBJECT_CHANGED"] as const)(
    "%s never passes",
    (code) => expect(isPassing(outages(), failing("s3://b/a", code), 5)).toBe(false),
  );

  test("a store that is away for good fails whatever asks it, from ten minutes on", () => {
    const known = outages();
    for (let minute = 0; minute < 10; minute++)
      expect(isPassing(known, failing(`s3://b/${minute}`), minute * MINUTE_MS)).toBe(true);
    expect(isPassing(known, failing("s3://b/never asked"), OUTAGE_MS)).toBe(false);
    expect(isPassing(known, failing("s3://other/a"), OUTAGE_MS)).toBe(true);
  });

  test("a store that answers now and then is not away", () => {
    const known = outages();
    for (let minute = 0; minute < 60; minute++) {
      expect(isPassing(known, failing(`s3://b/${minute}`), minute * MINUTE_MS)).toBe(true);
      known.answered("s3://b/other");
    }
  });

  test("an object that was read is not given up for what was before", () => {
    const known = outages();
    isPassing(known, failing("s3://b/a"), 0);
    known.answered("s3://b/a");
    expect(isPassing(known, failing("s3://b/a"), 60 * MINUTE_MS)).toBe(true);
  });

  test("two outages with quiet between them are two", () => {
    const known = outages();
    for (let minute = 0; minute < 9; minute++) isPassing(known, failing(`s3://b/${minute}`), minute * MINUTE_MS);
    expect(isPassing(known, failing("s3://b/later"), 20 * MINUTE_MS)).toBe(true);
  });

  test("an object that never comes is given up, however rarely this thread meets it", () => {
    const known = outages();
    expect(isPassing(known, failing("s3://b/bad"), 0)).toBe(true);
    expect(isPassing(known, failing("s3://b/bad"), 50 * MINUTE_MS)).toBe(false);
    expect(isPassing(known, failing("s3://b/good"), 51 * MINUTE_MS)).toBe(true);
  });

  test("what is kept in mind is bounded", () => {
    const known = outages();
    isPassing(known, failing("s3://b/0"), 0);
    for (let index = 1; index <= 10_000; index++) isPassing(known, failing(`s3://b/${index}`), 1);
    // Forgotten: it would be given up otherwise.
    expect(isPassing(known, failing("s3://b/0"), 50 * MINUTE_MS)).toBe(true);
  });
});
