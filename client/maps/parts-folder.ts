/**
 * A job whose scheduler is gone, from the folder of its parts alone. The manifest names the tasks, and where somebody waited
 * for its end, a record of that names the parts. Else a part's name follows from the task and the content hash of its file,
 * which any part of that file tells. So nothing is reduced that the manifest does not name, whatever else lies in the folder.
 */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PeError } from "../../common/errors.ts";
import { inLanes } from "../../common/lanes.ts";
import { knownNames } from "../../common/nearest.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { sharedStore } from "../../data/objects/by-address.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { openPartStore, type PartStore } from "../../data/part-store.ts";
import { readPartHeader } from "../../tasks/pe/part.ts";
import { partOfTask } from "../../tasks/pe/part-name.ts";
import type { TaskEnd } from "../../tasks/pe/reduce.ts";
import { readEnds } from "./ends-record.ts";
import { readRecord, recordName, type JobRecord } from "./job-record.ts";

const RECORD_NAME = /^manifest-(.+)$/;
const PART_NAME = /^pe-[0-9a-f]{40}$/;

/** Right in a folder, or under a prefix of S3; none where it is no folder. */
async function namesIn(folder: string, prefix: string): Promise<string[]> {
  const names: string[] = [];
  if (isS3Url(folder)) for await (const { name } of storeOf(folder).list(prefix)) names.push(name);
  else names.push(...(await readdir(folder).catch(() => [])));
  return names.filter((name) => name.startsWith(prefix) && !name.includes("/"));
}

function storeOf(folder: string): ObjectStore {
  return sharedStore(`${folder.replace(/\/$/, "")}/`);
}

/** Ids of the jobs whose manifests lie in a folder; none where it is no folder. */
export async function jobsOfFolder(folder: string): Promise<string[]> {
  const names = await namesIn(folder, "manifest-");
  return names.flatMap((name) => RECORD_NAME.exec(name)?.[1] ?? []).toSorted();
}

export interface FolderJob {
  readonly record: JobRecord;
  readonly store: PartStore;
  /** By index: the tasks whose parts are there, and those that are known to have failed. */
  readonly ends: ReadonlyMap<number, TaskEnd>;
  /** Somebody has seen its end. */
  readonly hasEnded: boolean;
}

/**
 * @param wanted Id of the job or its beginning; needed when the folder holds several.
 * @throws {PeError} `PE_PARAMETER` when the folder holds several such jobs or none, `PE_INPUT_CHANGED` when it holds parts
 *   of two contents of one file, `PE_RESULTS_UNREADABLE`
 */
export async function openPartsFolder(folder: string, wanted = ""): Promise<FolderJob> {
  const jobs = await jobsOfFolder(folder);
  const [id, ...others] = jobs.filter((job) => job.startsWith(wanted));
  if (id === undefined || others.length > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot choose a job of "${folder}": it holds ${knownNames(wanted, jobs)}; name one with --job`,
    );
  const store = openPartStore(isS3Url(folder) ? folder : pathToFileURL(folder).href);
  const record = await readRecord(store, id);
  const known = await readEnds(store, record.job);
  const isAllThere = known !== undefined && [...known.values()].every((end) => "part" in end);
  if (isAllThere) return { record, store, ends: known, hasEnded: true };
  // What failed may have been tried again since.
  const found = await findParts(folder, store, record);
  return { record, store, ends: new Map([...(known ?? []), ...found]), hasEnded: known !== undefined };
}

async function findParts(folder: string, store: PartStore, { job }: JobRecord): Promise<Map<number, TaskEnd>> {
  const { manifest } = job;
  const names = new Set((await namesIn(folder, "pe-")).filter((name) => PART_NAME.test(name)));
  const contents = await contentsOf(folder, store, [...names]);
  const ends = new Map<number, TaskEnd>();
  const contentOf = new Map<number, string>();
  for (const [index, [ordinal]] of manifest.tasks.entries())
    for (const sha256 of contents.get(manifest.source.files[ordinal]!.name) ?? []) {
      const part = partOfTask(manifest, index, sha256);
      if (!names.has(part)) continue;
      if ((contentOf.get(ordinal) ?? sha256) !== sha256)
        throw new PeError(
          "PE_INPUT_CHANGED",
          `Cannot reduce "${folder}": it holds parts of two contents of "${manifest.source.files[ordinal]!.name}"; ` +
            `submit the job again (its manifest is ${recordName(job.id)})`,
        );
      contentOf.set(ordinal, sha256);
      ends.set(index, { part });
    }
  return ends;
}

/** Content hashes by name of the input file, as the heads of the parts tell them. */
async function contentsOf(
  folder: string,
  store: PartStore,
  names: readonly string[],
): Promise<Map<string, Set<string>>> {
  const contents = new Map<string, Set<string>>();
  for (const head of await inLanes(names, READS_AT_ONCE, async (name) => await readHead(folder, store, name))) {
    if (head === undefined) continue;
    const known = contents.get(head.file) ?? new Set();
    contents.set(head.file, known.add(head.sha256));
  }
  return contents;
}

const READS_AT_ONCE = 8;
const HEAD_BYTES = 64 * 1024;

/** What a part says of itself; undefined where it is no part. */
async function readHead(
  folder: string,
  store: PartStore,
  name: string,
): Promise<{ file: string; sha256: string } | undefined> {
  const first = isS3Url(folder) ? await firstOfObject(folder, name) : await firstOfFile(join(folder, name));
  const head = readPartHeader(first);
  if (head !== undefined || first.byteLength < HEAD_BYTES) return head;
  // Thousands of problems make a longer head.
  const whole = await store.get(name);
  return whole && readPartHeader(whole);
}

async function firstOfObject(folder: string, name: string): Promise<Uint8Array> {
  return (await storeOf(folder).read(name, { range: { start: 0, stop: HEAD_BYTES } })).bytes;
}

async function firstOfFile(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
