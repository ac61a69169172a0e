import { expect, test } from "vitest";
import { fixedPlace, folderOf, placeIn } from "../../../data/result-place.ts";

test("placeIn() and folderOf() leave the keys of an address as they stand", () => {
  expect(placeIn("s3://lasers/a  b/", "x.txt")).toBe("s3://lasers/a  b/x.txt");
  expect(placeIn("s3://lasers/a%20b", "x.txt")).toBe("s3://lasers/a%20b/x.txt");
  expect(folderOf("s3://lasers/a  b/x.txt")).toBe("s3://lasers/a  b");
  expect(folderOf("s3://lasers/x.txt")).toBe("s3://lasers");
});

test("placeIn() and folderOf() are those of the system for paths", () => {
  expect(placeIn("a/./b", "x.txt")).toBe("a/b/x.txt");
  expect(folderOf("x.txt")).toBe(".");
});

test("fixedPlace() makes paths absolute, and addresses stay", () => {
  expect(fixedPlace("/a/../b")).toBe("/b");
  expect(fixedPlace("s3://lasers/a//b")).toBe("s3://lasers/a//b");
});
