import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pieceCount, PIECE_BYTES, streamBytes } from "../../../../protocol/transfer/pieces.ts";
import { PIECES_UNDER_WAY_MAX, type ServedValue } from "../../../../protocol/transfer/served-value.ts";
import { ValueStore } from "../../../../worker/values/store.ts";
import { testFolder } from "../../../support/folders.ts";
import { atEnd, blobOf, NAME, sameBytes } from "../../../support/values.ts";

const OTHER = { ...NAME, task: 8 };
const BYTES = 2 * PIECE_BYTES + 17;

async function storeIn(
  diskBytesMax?: number,
  onLetGo?: (bytes: number) => void,
): Promise<{ store: ValueStore; files: () => string[] }> {
  const parent = await testFolder();
  const store = new ValueStore({ parent, diskBytesMax, onLetGo });
  atEnd(() => store.close());
  const files = (): string[] =>
    readdirSync(parent, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".value"))
      .map((name) => join(parent, name));
  return { store, files };
}

async function bytesOf(value: ServedValue): Promise<Buffer> {
  const blocks: Uint8Array[] = [];
  for (let index = 0; index < pieceCount(value.bytes); index++) {
    // Its memory is used again for a later piece.
    for (const block of await value.piece(index)) blocks.push(Buffer.from(block));
  }
  return Buffer.concat(blocks);
}

describe("ValueStore", () => {
  test("gives out the very memory that it was given", async () => {
    const { store } = await storeIn();
    const blob = blobOf(BYTES);
    store.put(NAME, blob);
    expect(store.share(NAME)).toBe(blob);
    expect(store.share(OTHER)).toBeUndefined();
    expect([store.count, store.memoryBytes, store.diskBytes]).toEqual([1, BYTES, 0]);
    store.drop(NAME);
    expect([store.count, store.memoryBytes, store.has(NAME)]).toEqual([0, 0, false]);
  });

  test("spills a value to its disk, gives its memory back, and loads it again", async () => {
    const { store, files } = await storeIn();
    const blob = blobOf(BYTES);
    store.put(NAME, blob);
    await store.spill(NAME);
    expect(store.share(NAME)).toBeUndefined();
    expect([store.memoryBytes, store.diskBytes]).toEqual([0, BYTES]);
    expect(files().map((file) => statSync(file).size)).toEqual([streamBytes(BYTES)]);
    await store.load(NAME);
    expect(sameBytes(store.share(NAME)!, blob)).toBe(true);
    expect([store.memoryBytes, store.diskBytes]).toEqual([BYTES, BYTES]);
    // The file is still good: the second time costs nothing.
    const before = statSync(files()[0]!).ino;
    await store.spill(NAME);
    expect(files().map((file) => statSync(file).ino)).toEqual([before]);
    expect(store.memoryBytes).toBe(0);
    store.drop(NAME);
    expect(files()).toEqual([]);
    expect(store.diskBytes).toBe(0);
  });

  test("serves a spilled value from its file without loading it, also while it is dropped", async () => {
    const { store } = await storeIn();
    const blob = blobOf(BYTES);
    store.put(NAME, blob);
    const fromMemory = (await store.open(NAME))!;
    await store.spill(NAME);
    const fromFile = (await store.open(NAME))!;
    store.drop(NAME);
    expect(Buffer.compare(await bytesOf(fromMemory), await bytesOf(fromFile))).toBe(0);
    expect(store.memoryBytes).toBe(0);
    fromFile.close();
    expect(await store.open(NAME)).toBeUndefined();
  });

  test("serves a file with the memory of a few pieces, however large it is", async () => {
    const { store } = await storeIn();
    store.put(NAME, blobOf(6 * PIECE_BYTES));
    await store.spill(NAME);
    const served = (await store.open(NAME))!;
    const memories = new Set<ArrayBufferLike>();
    for (let index = 0; index < 6; index++) for (const { buffer } of await served.piece(index)) memories.add(buffer);
    served.close();
    expect(memories.size).toBe(PIECES_UNDER_WAY_MAX);
  });

  test("says when a file is damaged, cut or gone", async () => {
    const { store, files } = await storeIn();
    for (const harm of [
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[PIECE_BYTES + 100]! ^= 1;
        writeFileSync(file, bytes);
      },
      (file: string) => truncateSync(file, PIECE_BYTES),
      (file: string) => writeFileSync(file, ""),
    ]) {
      store.put(NAME, blobOf(BYTES));
      await store.spill(NAME);
      harm(files()[0]!);
      await expect(store.load(NAME)).rejects.toMatchObject({ code: "PE_VALUE_DAMAGED" });
      await expect((async () => await bytesOf((await store.open(NAME))!))()).rejects.toMatchObject({
        code: "PE_VALUE_DAMAGED",
      });
      expect(store.share(NAME)).toBeUndefined();
      store.drop(NAME);
    }
  });

  test("does one thing at a time with a value, and leaves no file of one that is dropped meanwhile", async () => {
    const { store, files } = await storeIn();
    const blob = blobOf(BYTES);
    store.put(NAME, blob);
    const doing = [store.spill(NAME), store.load(NAME), store.spill(NAME), store.load(NAME)];
    await Promise.all(doing);
    expect(sameBytes(store.share(NAME)!, blob)).toBe(true);
    expect([store.memoryBytes, store.diskBytes, files().length]).toEqual([BYTES, BYTES, 1]);
    store.drop(NAME);
    store.put(NAME, blob);
    const spilling = store.spill(NAME);
    store.drop(NAME);
    await spilling;
    expect(files()).toEqual([]);
    expect([store.memoryBytes, store.diskBytes]).toEqual([0, 0]);
  });

  test("keeps a value in memory when there is no room on its disk", async () => {
    const { store, files } = await storeIn(streamBytes(BYTES));
    store.put(NAME, blobOf(BYTES));
    store.put(OTHER, blobOf(BYTES, 2));
    await store.spill(NAME);
    await expect(store.spill(OTHER)).rejects.toMatchObject({ code: "PE_DISK_FULL" });
    expect(store.share(OTHER)).toBeDefined();
    expect([store.memoryBytes, store.diskBytes, files().length]).toEqual([BYTES, BYTES, 1]);
    store.drop(NAME);
    await store.spill(OTHER);
    expect(store.memoryBytes).toBe(0);
  });

  test("tells of the memory that it lets go of", async () => {
    const letGo: number[] = [];
    const { store } = await storeIn(undefined, (bytes) => void letGo.push(bytes));
    store.put(NAME, blobOf(BYTES));
    await store.spill(NAME);
    expect(letGo).toEqual([BYTES]);
    store.drop(NAME);
    store.put(OTHER, blobOf(100));
    store.drop(OTHER);
    expect(letGo).toEqual([BYTES, 100]);
  });

  test("removes its folder when it is closed, whatever is under way", async () => {
    const { store, files } = await storeIn();
    store.put(NAME, blobOf(BYTES));
    const spilling = store.spill(NAME);
    await store.close();
    await spilling;
    expect(files()).toEqual([]);
    expect([store.count, store.memoryBytes, store.diskBytes]).toEqual([0, 0, 0]);
  });
});
