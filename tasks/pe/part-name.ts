/**
 * Names of parts: the same for whoever computes the same rows of the same content, wherever the input lies and whenever
 * it was written.
 */
import { hash } from "node:crypto";
import type { PeCommon, PeManifest, PeTask } from "./schema.ts";

/** All that decides the bytes of a part. */
export interface PartKey {
  readonly version: string;
  readonly common: PeManifest["common"];
  readonly format: PeCommon["format"];
  /** Name of the file within the input. */
  readonly file: string;
  readonly rows: PeTask["rows"];
  /** Of the file's content. */
  readonly sha256: string;
}

export function partName({ version, common, format, file, rows, sha256 }: PartKey): string {
  const { orders, delays, measures, length, window } = common;
  // In one sequence, whoever made the object.
  const wanted = { orders, delays, measures, length, ...(window !== undefined && { window }) };
  const { start, stop = null } = rows;
  const key = JSON.stringify([version, wanted, format, file, start, stop, sha256]);
  return `pe-${hash("sha256", key, "hex").slice(0, 40)}`;
}

/** Name of the part of task `index`, when the content of its file has this hash. */
export function partOfTask({ version, common, source, tasks }: PeManifest, index: number, sha256: string): string {
  const [ordinal, start, stop] = tasks[index]!;
  const rows = { start, ...(stop >= 0 && { stop }) };
  return partName({ version, common, format: source.format, file: source.files[ordinal]!.name, rows, sha256 });
}
