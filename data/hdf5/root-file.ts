/** Opens a file with the reader that fits: `plain.ts` where the file is plain, the HDF5 library for everything else. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf } from "../errno.ts";
import { openWithLibrary } from "./library.ts";
import type { LibraryFile } from "./library.ts";
import type { DatasetInfo, RootFile, Source } from "./model.ts";
import { openPlain } from "./plain.ts";

const SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/** A file may start with a block of something else, of 512 bytes or any power of two times that. */
const FIRST_OFFSET = 512;

/** @throws {Error} whose text is the reason. */
export async function openRootFile(source: Source): Promise<RootFile> {
  assertHdf5(source);
  try {
    return openPlain(source);
  } catch (error) {
    // What the file system refuses, it refuses the library too.
    if (/^E[A-Z0-9]+$/.test(errnoOf(error) ?? "")) throw error;
    return openRootWithLibrary(source);
  }
}

/** The same through the library alone. @throws {Error} whose text is the reason. */
export async function openRootWithLibrary(source: Source): Promise<RootFile> {
  const file = await openWithLibrary(source);
  try {
    const attributes = file.attributes("/");
    const datasets: DatasetInfo[] = [];
    for (const name of file.names("/")) {
      const dataset = describe(file, name);
      if (dataset !== undefined) datasets.push(dataset);
    }
    return {
      attributes,
      datasets,
      readBytes: (index) => file.readBytes(`/${datasets[index]!.name}`),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Undefined for groups and named types. */
function describe(file: LibraryFile, name: string): DatasetInfo | undefined {
  const refused = (refusal: string): DatasetInfo => {
    return { name, shape: undefined, element: undefined, attributes: new Map(), refusal };
  };
  try {
    const kind = file.kind(`/${name}`);
    if (kind === "link") return refused("is a soft or external link, which is refused");
    return kind === "dataset" ? file.dataset(`/${name}`) : undefined;
  } catch (error) {
    return refused(`cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function assertHdf5(source: Source): void {
  if ("content" in source) {
    const { content } = source;
    return assertSignature(content.length, (position) => content.subarray(position, position + SIGNATURE.length));
  }
  const descriptor = openSync(source.path, "r");
  try {
    assertSignature(fstatSync(descriptor).size, (position) => {
      const found = Buffer.alloc(SIGNATURE.length);
      return found.subarray(0, readSync(descriptor, found, 0, found.length, position));
    });
  } finally {
    closeSync(descriptor);
  }
}

function assertSignature(size: number, read: (position: number) => Uint8Array): void {
  if (size === 0) throw new Error("it is empty");
  for (let position = 0; position < size; position = position === 0 ? FIRST_OFFSET : position * 2)
    if (SIGNATURE.equals(read(position))) return;
  throw new Error("it is not an HDF5 file");
}
