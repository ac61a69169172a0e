import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { formatAddress, isS3Url, parseAddress } from "../../../../data/objects/address.ts";

describe("parseAddress()", () => {
  test("takes a key as it stands: spaces, double spaces, percent signs", () => {
    for (const key of ["", "a", "a/", "Optically  Injected/raw.hdf5", "a%20b", "a+b", " a", "/a", "grün", "a?b#c"]) {
      const url = `s3://lasers/${key}`;
      expect(parseAddress(url)).toEqual({ scheme: "s3", bucket: "lasers", key });
      expect(formatAddress(parseAddress(url))).toBe(url);
    }
    expect(parseAddress("s3://lasers")).toEqual({ scheme: "s3", bucket: "lasers", key: "" });
    expect(parseAddress("S3://Old_Bucket/a")).toEqual({ scheme: "s3", bucket: "Old_Bucket", key: "a" });
  });

  test("takes paths and file URLs", () => {
    expect(parseAddress("data/a b")).toEqual({ scheme: "file", path: resolve("data/a b") });
    expect(parseAddress("file:///data/a%20b")).toEqual({ scheme: "file", path: "/data/a b" });
    expect(formatAddress(parseAddress("/data/a b"))).toBe("file:///data/a%20b");
  });

  test.each([
    "",
    "a\0b",
    "s3://",
    "s3:///key",
    "s3://ab/key",
    "s3://a..b/key",
    "s3://user:secret@bucket/key",
    `s3://bucket/${"k".repeat(1025)}`,
    "s3://bucket/\ud800",
    "https://example.org/a",
    "gs://bucket/key",
    "file://host.example/a",
  ])("refuses %j", (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: "PE_PARAMETER" }));
  });
});

test("isS3Url() tells object stores from paths", () => {
  expect(isS3Url("s3://bucket/key")).toBe(true);
  for (const text of ["s3/key", "./s3://x", "file:///s3://", "s3:key"]) expect(isS3Url(text)).toBe(false);
});
