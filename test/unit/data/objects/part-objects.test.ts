import { describe, expect, test } from "vitest";
import { PeError } from "../../../../common/errors.ts";
import { memoryStore } from "../../../../data/objects/memory-store.ts";
import { objectPartStore } from "../../../../data/objects/part-objects.ts";
import { openPartStore } from "../../../../data/part-store.ts";

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

describe("objectPartStore()", () => {
  test("stores, finds and slices parts", async () => {
    const store = objectPartStore(memoryStore());
    expect([await store.has("a"), await store.get("a")]).toEqual([false, undefined]);
    await store.put("a", BYTES);
    expect(await store.has("a")).toBe(true);
    expect(await store.get("a")).toEqual(BYTES);
    const slice = new Uint8Array(10);
    await store.getSlice("a", 100, slice);
    expect(slice).toEqual(BYTES.slice(100, 110));
    await expect(store.getSlice("a", 995, slice)).rejects.toMatchObject({ code: "PE_RESULTS_UNREADABLE" });
  });

  test("takes a part that is not whole for none", async () => {
    const corrupt = new PeError("PE_OBJECT_CORRUPT", "corrupt");
    const store = objectPartStore({ ...memoryStore(), read: () => Promise.reject(corrupt) });
    expect(await store.get("a")).toBeUndefined();
  });

  test.each([
    ["PE_STORE_UNAVAILABLE", "PE_STORE_UNAVAILABLE"],
    ["PE_CREDENTIALS", "PE_CREDENTIALS"],
    ["PE_OBJECT_DENIED", "PE_PARTS_UNREACHABLE"],
    ["PE_OBJECT_MISSING", "PE_PARTS_UNREACHABLE"],
  ] as const)("tells %s as what a worker acts on, %s", async (code, told) => {
    const failing = (): Promise<never> => Promise.reject(new PeError(code, "Cannot write s3://b/a: why"));
    const store = objectPartStore({ ...memoryStore(), write: failing });
    await expect(store.put("a", BYTES)).rejects.toMatchObject({
      code: told,
      message: expect.stringContaining("Cannot write s3://b/a: why") as string,
    });
  });

  test("changes an object so that no change of another is lost, and gives up when others never stop", async () => {
    const objects = memoryStore();
    const store = objectPartStore(objects);
    const append = (before: Uint8Array | undefined): Uint8Array => Uint8Array.of(...(before ?? []), 7);
    await Promise.all(Array.from({ length: 4 }, async () => await store.change("a", append)));
    expect((await store.get("a"))?.byteLength).toBe(4);
    let writes = 0;
    const never = objectPartStore({
      ...objects,
      async write(name, bytes, options) {
        await objects.write(name, Uint8Array.of(writes++));
        return await objects.write(name, bytes, options);
      },
    });
    await expect(never.change("a", append)).rejects.toMatchObject({ code: "PE_OBJECT_CONFLICT" });
    expect(writes).toBe(8);
  });

  test("has no part called ../a", async () => {
    const store = objectPartStore(memoryStore());
    await expect(store.put("../a", BYTES)).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });
});

test("openPartStore() takes s3:// and asks nothing yet", () => {
  expect(openPartStore("s3://bucket/parts  of jobs/x").url).toBe("s3://bucket/parts  of jobs/x");
  expect(() => openPartStore("s3://b")).toThrow(expect.objectContaining({ code: "PE_PARAMETER" }));
});
