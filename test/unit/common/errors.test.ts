import { describe, expect, test } from "vitest";
import { asPeError, ERROR_CODES, EXIT, PeError } from "../../../common/errors.ts";

describe("PeError", () => {
  test("survives a crossing as a record", () => {
    const error = new PeError("PE_SHARD_LAYOUT", "Cannot read it", { details: { dataset: "x_000_y_001" } });
    const back = PeError.fromRecord(structuredClone(error.toRecord()));
    expect(back).toMatchObject({
      code: "PE_SHARD_LAYOUT",
      message: "Cannot read it",
      details: { dataset: "x_000_y_001" },
    });
    expect(back.exit).toBe(EXIT.dataError);
  });

  test("has an exit status of sysexits for every code", () => {
    for (const [code, { exit, about }] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^PE_[A-Z_]+$/);
      expect(Object.values(EXIT)).toContain(exit);
      expect(exit).not.toBe(EXIT.ok);
      expect(about).toMatch(/\.$/);
    }
  });
});

describe("asPeError()", () => {
  test("keeps an error that is one already", () => {
    const error = new PeError("PE_PARAMETER", "no");
    expect(asPeError(error, "PE_UNEXPECTED", "context")).toBe(error);
  });

  test("tells a full disk apart, whatever was expected", () => {
    const full = Object.assign(new Error("write failed"), { code: "ENOSPC" });
    expect(asPeError(full, "PE_OUTPUT_UNWRITABLE", "Cannot write").code).toBe("PE_DISK_FULL");
    expect(asPeError(new Error("other"), "PE_OUTPUT_UNWRITABLE", "Cannot write").message).toBe("Cannot write: other");
  });
});
