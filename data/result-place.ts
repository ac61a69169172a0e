/** Where results are written: a path, or `s3://bucket/key`. Folders of S3 are what keys have in common up to a slash. */
import { dirname, join, resolve } from "node:path";
import { writeDurably } from "./durable.ts";
import { makeFolders } from "./folders.ts";
import { isS3Url } from "./objects/address.ts";
import { writeObjectAt } from "./objects/by-address.ts";

/** Of a file: what lies beside it starts so. */
export function folderOf(place: string): string {
  return isS3Url(place) ? place.slice(0, place.lastIndexOf("/")) : dirname(place);
}

/** A name below a folder. The key of an address stays as it stands: `join` would tidy its slashes. */
export function placeIn(folder: string, name: string): string {
  return isS3Url(folder) ? `${folder.replace(/\/$/, "")}/${name}` : join(folder, name);
}

/** The same wherever it is read later: of a path the absolute one. */
export function fixedPlace(place: string): string {
  return isS3Url(place) ? place : resolve(place);
}

/** Writes whole or not at all, into a folder that is there. @throws {PeError} Those of `writeDurably` and `ObjectStore.write`. */
export async function writePlace(place: string, bytes: Uint8Array): Promise<void> {
  if (isS3Url(place)) await writeObjectAt(place, bytes);
  else await writeDurably(place, bytes);
}

/** Makes a folder where it is missing; on S3 there is nothing to make. @throws {Error} See `makeFolders`. */
export async function makePlace(folder: string): Promise<void> {
  if (!isS3Url(folder)) await makeFolders(folder);
}
