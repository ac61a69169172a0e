/** Copies what a job does not touch from the old maps file into the new one: everything, or the job is refused. */
import { PeError } from "../common/errors.ts";
import { openWithLibrary } from "./hdf5/library.ts";
import type { LibraryFile } from "./hdf5/library.ts";
import { asArray } from "./hdf5/model.ts";
import type { VerifiedWriter } from "./hdf5/verified-writer.ts";
import { mapName } from "./map-name.ts";
import type { MapKey } from "./map-name.ts";
import { ownersPath, shardsPath, sourceFolder, statusPath } from "./maps-layout.ts";
import type { MapSource } from "./maps-layout.ts";
import type { Maps } from "./maps-read.ts";

interface Job {
  readonly source: MapSource;
  readonly maps: readonly MapKey[];
}

/** @throws {PeError} `PE_MAPS_CONFLICT` when the file holds something that cannot be copied. */
export async function copyOthers(path: string, old: Maps, writer: VerifiedWriter, job: Job): Promise<void> {
  const skipped = writtenAnew(old, job);
  const file = await openWithLibrary({ path });
  const refuse = (what: string): never => {
    const message = `Cannot add to maps "${path}": ${what} is of a type that cannot be copied; remove it or name another output`;
    throw new PeError("PE_MAPS_CONFLICT", message, { details: { path } });
  };
  function copyAttributes(owner: string): void {
    const other = file.otherAttributes(owner)[0];
    if (other !== undefined) refuse(`attribute ${other} of "${owner}"`);
    for (const [name, value] of file.attributes(owner)) writer.attribute(owner, name, value);
  }
  function copyGroup(group: string): void {
    copyAttributes(group);
    for (const name of file.names(group)) {
      const object = group === "/" ? `/${name}` : `${group}/${name}`;
      if (skipped.has(object)) continue;
      const kind = file.kind(object);
      if (kind === "group") {
        writer.group(object);
        copyGroup(object);
      } else if (kind !== "dataset" || !copyDataset(file, writer, object)) refuse(`"${object}"`);
      else copyAttributes(object);
    }
  }
  try {
    copyGroup("/");
  } finally {
    file.close();
  }
}

/** Paths that the job writes itself, or that nothing refers to any more. */
function writtenAnew(old: Maps, { source, maps }: Job): Set<string> {
  const names = new Set(maps.map(mapName));
  const { x, y } = old.coordinateNames();
  const skipped = new Set([...names, x, y].map((name) => `/${name}`));
  skipped.add(ownersPath(source.digest)).add(shardsPath(source.digest));
  for (const { digest } of old.sources) {
    for (const name of names) skipped.add(statusPath(digest, name));
    const isUsed = old.maps.some((map) => map.sourceDigest === digest && !names.has(map.name));
    if (!isUsed && digest !== source.digest) skipped.add(sourceFolder(digest));
  }
  return skipped;
}

/** Numbers of any shape, and single texts. */
function copyDataset(file: LibraryFile, writer: VerifiedWriter, path: string): boolean {
  const { shape, element, refusal } = file.dataset(path);
  if (shape === undefined || refusal !== undefined) return false;
  if (element !== undefined) {
    writer.dataset(path, asArray(file.readBytes(path), element), shape);
    return true;
  }
  if (shape.length > 0) return false;
  try {
    writer.text(path, file.readText(path));
    return true;
  } catch {
    return false;
  }
}
