import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import {
  checkUpload,
  uploadedJob,
  uploadFiles,
  uploadSize,
  type UploadProgress,
} from "../../../../client/maps/uploading.ts";
import { openPartStore, type PartStore } from "../../../../data/part-store.ts";
import { isUploaded } from "../../../../data/uploads.ts";
import { planPe, type PeJob } from "../../../../tasks/pe/plan.ts";
import { testFolder } from "../../../support/folders.ts";
import { copyGoldenShards } from "../../../support/golden.ts";

const MAPS = { orders: [3], delays: [1], measures: ["pe"] } as const;

describe("uploadedJob()", () => {
  let input: string, job: PeJob, store: PartStore, parts: string;
  beforeEach(async () => {
    [input, parts] = [await copyGoldenShards(await testFolder()), await testFolder()];
    job = await planPe({ input, orders: [...MAPS.orders], delays: [...MAPS.delays], measures: [...MAPS.measures] });
    store = openPartStore(pathToFileURL(parts).href);
  });

  test("has the id of the job that reads its files in their place, and tasks that read them by their content", async () => {
    const uploaded = await uploadedJob(job, {});
    expect(uploaded.id).toBe(job.id);
    expect(uploaded.manifest.source.digest).toBe(job.manifest.source.digest);
    expect([isUploaded(job.common.root), isUploaded(uploaded.common.root)]).toEqual([false, true]);
    expect(uploaded.task(0).file).toEqual({ ...job.task(0).file, version: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await uploadedJob(job, {}, "uploaded:/elsewhere")).common.root).toBe("uploaded:/elsewhere");
  });

  test("sends only the files that its tasks want, once, and tells how far it is", async () => {
    const some = await uploadedJob(
      await planPe({ input, ...MAPS, orders: [3], delays: [1], measures: ["pe"], shards: "1:3" }),
      {},
    );
    const { files, bytes } = uploadSize(some);
    expect(files).toBe(2);
    const told: UploadProgress[] = [];
    const onProgress = (progress: UploadProgress): void => void told.push(progress);
    expect(await uploadFiles(store, some, { onProgress })).toBe(bytes);
    expect(await readdir(parts)).toHaveLength(2);
    expect(told.at(-1)).toMatchObject({ doing: "uploading", bytes, totalBytes: bytes, thereBytes: 0 });
    expect(await uploadFiles(store, some, { onProgress })).toBe(0);
    expect(told.at(-1)).toMatchObject({ bytes, thereBytes: bytes });
  });

  test("stops when it is told to, and says how to go on", async () => {
    const stopped = {
      code: "PE_INTERRUPTED",
      message: expect.stringContaining(`pe-client release ${job.id} frees it`),
    };
    const abort = new AbortController();
    abort.abort();
    await expect(uploadedJob(job, { signal: abort.signal })).rejects.toMatchObject(stopped);
    const uploaded = await uploadedJob(job, {});
    await expect(uploadFiles(store, uploaded, { signal: abort.signal })).rejects.toMatchObject(stopped);
  });

  test("sends nothing when the store tells that it has no room for all that is missing", async () => {
    const uploaded = await uploadedJob(job, {});
    const full: PartStore = { ...store, freeBytes: async () => await Promise.resolve(64 * 2 ** 20 + 50_000) };
    await expect(uploadFiles(full, uploaded, {})).rejects.toMatchObject({
      code: "PE_DISK_FULL",
      message: expect.stringMatching(/Cannot upload 4 files .*--parts.*--shards/),
      details: { neededBytes: uploadSize(job).bytes },
    });
    expect(await readdir(parts)).toEqual([]);
    // What is there needs no room.
    await uploadFiles(store, uploaded, {});
    expect(await uploadFiles(full, uploaded, {})).toBe(0);
  });

  test("is refused for what workers read from S3 themselves, and for what no worker could compute from", () => {
    const at = (root: string, bytes: number): PeJob => {
      const files = job.manifest.source.files.map((file) => ({ ...file, bytes }));
      return { ...job, manifest: { ...job.manifest, source: { ...job.manifest.source, root, files } } };
    };
    expect(() => checkUpload(at("s3://lasers/set/", 1))).toThrow("leave --upload out");
    expect(() => checkUpload(at(join(input, "x"), 2 ** 31))).toThrow("more than");
    expect(() => checkUpload(job)).not.toThrow();
  });
});
