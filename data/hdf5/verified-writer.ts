/**
 * A writer that remembers a hash of all it wrote and reads everything back: the library reports no error for some
 * writes that failed.
 */
import { sha256Of } from "../hash.ts";
import { createWithLibrary, openWithLibrary } from "./library.ts";
import type { LibraryWriter } from "./library.ts";
import type { AttributeValue, ElementArray } from "./model.ts";

export interface VerifiedWriter extends Omit<LibraryWriter, "dataset"> {
  /** One gzipped chunk holds the whole dataset; scalars and empty ones are not compressed. */
  dataset(path: string, values: ElementArray, shape: readonly number[]): void;
  /** Whether this object was written. */
  has(path: string): boolean;
  /** After `close`: reads back every value and attribute. @throws {Error} that names what differs. */
  verify(): Promise<void>;
}

const GZIP_LEVEL = 9;

/** @throws errors of the file system. */
export async function createVerified(path: string): Promise<VerifiedWriter> {
  const writer = await createWithLibrary(path);
  /** Hash of a dataset's bytes, the text of a text, or nothing for a group. */
  const objects = new Map<string, string>([["/", ""]]);
  const attributes: { owner: string; name: string; value: AttributeValue }[] = [];
  return {
    attribute(owner, name, value) {
      writer.attribute(owner, name, value);
      attributes.push({ owner, name, value });
    },
    group(group) {
      writer.group(group);
      objects.set(group, "");
    },
    dataset(dataset, values, shape) {
      writer.dataset(dataset, values, shape, GZIP_LEVEL);
      objects.set(dataset, sha256Of(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
    },
    text(dataset, value) {
      writer.text(dataset, value);
      objects.set(dataset, value);
    },
    close: () => writer.close(),
    has: (object) => objects.has(object),
    async verify() {
      const file = await openWithLibrary({ path });
      try {
        for (const [object, expected] of objects) {
          if (expected === "") continue;
          const isText = file.dataset(object).element === undefined;
          const read = isText ? file.readText(object) : sha256Of(file.readBytes(object));
          if (read !== expected) throw differs(`"${object}"`);
        }
        for (const { owner, name, value } of attributes)
          if (!Object.is(file.attributes(owner).get(name), value)) throw differs(`attribute ${name} of "${owner}"`);
      } finally {
        file.close();
      }
    },
  };
}

function differs(what: string): Error {
  return new Error(`${what} does not read back as it was written`);
}
