import { describe, expect, test } from "vitest";
import { PeError, type ErrorCode } from "../../../common/errors.ts";
import { OUTAGE_MS, outages } from "../../../worker/outage.ts";

const MINUTE_MS = 60_000;

function failing(where: string, code: ErrorCode = "PE_STORE_UNAVAILABLE"): PeError {
  return new PeError(code, `Cannot read ${where}: away`, { details: { where } });
}

describe("outages()", () => {
  test.each(["PE_STORE_UNAVAILABLE", "PE_CREDENTIALS", "PE_DISK_FULL"] as const)("%s passes at first", (code) => {
    expect(outages().isPassing(failing("s3://b/a", code), 5)).toBe(true);
    expect(outages().isPassing(new PeError(code, "no place named"), 5)).toBe(true);
  });

  test.each(["PE_OBJECT_DENIED", "PE_OBJECT_MISSING", "PE_OBJECT_CORRUPT", "PE_OBJECT_CHANGED"] as const)(
    "%s never passes",
    (code) => expect(outages().isPassing(failing("s3://b/a", code), 5)).toBe(false),
  );

  test("a store that is away for good fails whatever asks it, from ten minutes on", () => {
    const { isPassing } = outages();
    for (let minute = 0; minute < 10; minute++)
      expect(isPassing(failing(`s3://b/${minute}`), minute * MINUTE_MS)).toBe(true);
    expect(isPassing(failing("s3://b/never asked"), OUTAGE_MS)).toBe(false);
    expect(isPassing(failing("s3://other/a"), OUTAGE_MS)).toBe(true);
  });

  test("two outages with quiet between them are two", () => {
    const { isPassing } = outages();
    for (let minute = 0; minute < 9; minute++) isPassing(failing(`s3://b/${minute}`), minute * MINUTE_MS);
    expect(isPassing(failing("s3://b/later"), 20 * MINUTE_MS)).toBe(true);
  });

  test("an object that never comes is given up, however rarely this thread meets it", () => {
    const { isPassing } = outages();
    expect(isPassing(failing("s3://b/bad"), 0)).toBe(true);
    expect(isPassing(failing("s3://b/bad"), 50 * MINUTE_MS)).toBe(false);
    expect(isPassing(failing("s3://b/good"), 51 * MINUTE_MS)).toBe(true);
  });

  test("what is kept in mind is bounded", () => {
    const { isPassing } = outages();
    isPassing(failing("s3://b/0"), 0);
    for (let index = 1; index <= 10_000; index++) isPassing(failing(`s3://b/${index}`), 1);
    // Forgotten: it would be given up otherwise.
    expect(isPassing(failing("s3://b/0"), 50 * MINUTE_MS)).toBe(true);
  });
});
