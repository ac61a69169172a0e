import { hash } from "node:crypto";
import { readdir, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import type { InputFile } from "../../../data/inputs.ts";
import { openPartStore, type PartStore } from "../../../data/part-store.ts";
import {
  fetchUpload,
  hashFile,
  isRemote,
  missingPieces,
  piecesOf,
  readUpload,
  rootBefore,
  sendFile,
  UPLOAD_PIECE_BYTES,
  uploadedPath,
  uploadedRoot,
} from "../../../data/uploads.ts";
import { testFolder } from "../../support/folders.ts";

const SECOND_MS = 1_600_000_000_000;
/** Two whole pieces and a bit. */
const BYTES = Buffer.alloc(2 * UPLOAD_PIECE_BYTES + 10, "0123456789abcdefg");
const SHA256 = hash("sha256", BYTES, "hex");

describe("an upload", () => {
  let folder: string, parts: string, store: PartStore, file: InputFile, sent: InputFile;
  beforeEach(async () => {
    [folder, parts] = [await testFolder(), await testFolder()];
    store = openPartStore(pathToFileURL(parts).href);
    file = await fileOf("a.hdf5", BYTES);
    sent = { ...file, path: uploadedPath(SHA256), version: SHA256 };
  });

  async function fileOf(name: string, bytes: Uint8Array): Promise<InputFile> {
    const path = join(folder, name);
    await writeFile(path, bytes);
    await utimes(path, SECOND_MS / 1000, SECOND_MS / 1000);
    return { name, path, bytes: bytes.byteLength, modifiedMs: SECOND_MS };
  }

  test("hashFile() tells the SHA-256 of a file of several pieces, and of an empty one", async () => {
    expect(await hashFile(file)).toBe(SHA256);
    expect(await hashFile(await fileOf("empty", new Uint8Array(0)))).toBe(hash("sha256", "", "hex"));
  });

  test("sendFile() puts pieces that readUpload() and fetchUpload() make the same bytes of", async () => {
    await sendFile(store, file, SHA256);
    expect((await readdir(parts)).toSorted()).toEqual(piecesOf(SHA256, file.bytes).map(({ name }) => name));
    const read = new Uint8Array(file.bytes);
    await readUpload(store, sent, read);
    expect(Buffer.compare(read, BYTES)).toBe(0);
    const copy = join(folder, "copy");
    await fetchUpload(store, sent, copy);
    expect(Buffer.compare(await readFile(copy), BYTES)).toBe(0);
  });

  test("sendFile() sends a file without a byte", async () => {
    const empty = await fileOf("empty", new Uint8Array(0));
    const sha256 = await hashFile(empty);
    await sendFile(store, empty, sha256);
    await readUpload(store, { ...empty, path: uploadedPath(sha256) }, new Uint8Array(0));
  });

  test("sendFile() stops when it is told to, and goes on with what is missing", async () => {
    const abort = new AbortController();
    const told: [number, boolean][] = [];
    const onPiece = (bytes: number, isSent: boolean): void => {
      told.push([bytes, isSent]);
      abort.abort();
    };
    await expect(sendFile(store, file, SHA256, { signal: abort.signal, onPiece })).rejects.toThrow("abort");
    expect(told).toEqual([[UPLOAD_PIECE_BYTES, true]]);
    await sendFile(store, file, SHA256, { onPiece });
    expect(told.slice(1)).toEqual([
      [UPLOAD_PIECE_BYTES, false],
      [UPLOAD_PIECE_BYTES, true],
      [10, true],
    ]);
    expect(await missingPieces(store, sent)).toEqual([]);
  });

  test("sendFile() sends again what is there and not whole, when it verifies", async () => {
    await sendFile(store, file, SHA256);
    const [first] = piecesOf(SHA256, file.bytes);
    await truncate(join(parts, first!.name), 1000);
    await expect(readUpload(store, sent, new Uint8Array(file.bytes))).rejects.toMatchObject({
      code: "PE_INPUT_UNREACHABLE",
      message: expect.stringMatching(/"a.hdf5", which was uploaded .* submit it again with --upload/),
    });
    await sendFile(store, file, SHA256);
    await expect(fetchUpload(store, sent, join(folder, "copy"))).rejects.toMatchObject({
      code: "PE_INPUT_UNREACHABLE",
    });
    await sendFile(store, file, SHA256, { verifies: true });
    await readUpload(store, sent, new Uint8Array(file.bytes));
  });

  test("readUpload() takes no other bytes for those that were hashed", async () => {
    const other = Buffer.from(BYTES);
    other[UPLOAD_PIECE_BYTES + 3]! ^= 1;
    await sendFile(store, await fileOf("b.hdf5", other), SHA256);
    await expect(readUpload(store, sent, new Uint8Array(file.bytes))).rejects.toMatchObject({
      code: "PE_INPUT_UNREACHABLE",
      message: expect.stringContaining("what it has has the SHA-256"),
    });
  });

  test("hashFile() and sendFile() refuse a file that is not the one that was planned", async () => {
    const changed = { code: "PE_INPUT_CHANGED" };
    await expect(hashFile({ ...file, modifiedMs: 1 })).rejects.toMatchObject(changed);
    await expect(sendFile(store, { ...file, bytes: 5 }, SHA256)).rejects.toMatchObject(changed);
    await expect(hashFile({ ...file, path: join(folder, "none") })).rejects.toMatchObject({
      code: "PE_SHARD_UNREADABLE",
    });
    expect(await readdir(parts)).toEqual([]);
  });

  test("freeBytes() of a folder tells the room on its disk", async () => {
    expect(await store.freeBytes!()).toBeGreaterThan(0);
  });
});

test("uploadedRoot() keeps where an input was, for people", () => {
  expect(rootBefore(uploadedRoot("/data/set"))).toBe("/data/set");
  expect(rootBefore("/data/set")).toBe("/data/set");
  expect(["/data/a", "s3://b/a", uploadedPath("00")].map(isRemote)).toEqual([false, true, true]);
});
