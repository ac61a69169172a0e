import { describe, expect, test } from "vitest";
import { Random } from "../../../../common/random.ts";
import { valueToken } from "../../../../protocol/access.ts";
import {
  ANSWER_BYTES,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  ID_BYTES_MAX,
  REQUEST_BYTES_MAX,
} from "../../../../protocol/transfer/request.ts";

const token = valueToken("secret", "job");

describe("encodeRequest()", () => {
  test("is read back by decodeRequest(), once all of it has come", () => {
    for (const id of ["", "a job", "ä".repeat(256), "日".repeat(256)]) {
      const request = encodeRequest({ id, task: 0xffff_ffff }, token);
      expect(request.byteLength).toBeLessThanOrEqual(REQUEST_BYTES_MAX);
      for (const part of [0, 1, 4, 43, request.byteLength - 1])
        expect(decodeRequest(request.subarray(0, Math.min(part, request.byteLength - 1)))).toBeUndefined();
      const read = decodeRequest(request)!;
      expect(read).toMatchObject({ id, task: 0xffff_ffff, bytes: request.byteLength });
      expect(Buffer.from(read.token).toString("hex")).toBe(token);
    }
  });

  test("refuses what is no token, and an id that is too long", () => {
    expect(() => encodeRequest({ id: "a", task: 1 }, "short")).toThrow(/64 hexadecimal digits/);
    expect(() => encodeRequest({ id: "日".repeat(257), task: 1 }, token)).toThrow(`more than ${ID_BYTES_MAX} bytes`);
  });
});

describe("decodeRequest()", () => {
  test("refuses bytes that cannot become a request at once", () => {
    expect(() => decodeRequest(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow(/not of this version/);
    const request = encodeRequest({ id: "job", task: 1 }, token);
    request.writeUInt32LE(ID_BYTES_MAX + 1, 8);
    expect(() => decodeRequest(request)).toThrow(/not of this version/);
  });
});

describe("decodeAnswer()", () => {
  test("reads what encodeAnswer() wrote", () => {
    for (const status of ["value", "gone", "refused", "busy"] as const)
      expect(decodeAnswer(encodeAnswer(status, 2 ** 31 - 1))).toEqual({ status, bytes: 2 ** 31 - 1 });
  });

  test("refuses anything else", () => {
    const random = new Random(3);
    for (let round = 0; round < 1000; round++) {
      const bytes = Buffer.from(Array.from({ length: ANSWER_BYTES }, () => random.integer(256)));
      expect(() => decodeAnswer(bytes)).toThrow(/not of this version/);
    }
    expect(() => decodeAnswer(encodeAnswer("value", 2 ** 31))).toThrow(/not of this version/);
  });
});
