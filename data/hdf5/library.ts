/**
 * HDF5 through the HDF Group's own library (h5wasm), the one file that imports it: reads what `plain.ts` leaves,
 * writes shards and maps.
 *
 * The library lives in WebAssembly with a file system of its own that holds nothing but the file at hand, under a
 * random name. So whatever a file points to (external links, external storage, virtual datasets) is not there: even
 * where a refusal was missed, no other file of this machine can be read.
 *
 * Errors: many calls of h5wasm return garbage when HDF5 fails underneath, but HDF5 prints every failure to its standard
 * error stream. That is taken here, and a call after which there is text there has failed. (h5wasm's own handler, which
 * throws from inside, was tried: each error then leaves files open and a piece of the stack taken, and after about
 * 1,600 errors the library's memory is overrun.)
 */
import { randomUUID } from "node:crypto";
import type * as H5wasm from "h5wasm";
import { assertFileSystem, contentFile, mountFile, pathFile, takeErrorOutput } from "./host-file.ts";
import type { HostFile, InnerFileSystem } from "./host-file.ts";
import { elementOf, isScalar, isText, scalarAt, withMemory } from "./library-values.ts";
import { byCodeUnits, DATASET_BYTES_MAX } from "./model.ts";
import type { Attributes, AttributeValue, DatasetInfo, ElementArray, Source } from "./model.ts";

/** Values of `H5Z_filter_t`. */
const FILTER_NBIT = 5;
/** Identifiers from here on are filters that come as plug-ins, which the library does not have. */
const FILTER_PLUGIN_MIN = 256;

type Module = Awaited<typeof H5wasm.ready>;
type Metadata = H5wasm.Metadata;

interface Library {
  readonly h5wasm: typeof H5wasm;
  readonly module: Module;
  readonly system: InnerFileSystem;
  /** What HDF5 printed of failures since it was last emptied. */
  readonly errors: { text: string };
}

/** What stands behind a name. A link that leads nowhere or out of the file is `link`. */
export type ObjectKind = "dataset" | "group" | "link" | "other";

/** An open file. Every call throws an `Error` whose text is the reason; the caller says which file. */
export interface LibraryFile {
  /** Names in a group such as `/` or `/provenance`, ascending by code units. */
  names(group: string): string[];
  kind(path: string): ObjectKind;
  attributes(path: string): Attributes;
  /** Names of the attributes that `attributes` leaves out: arrays, compounds, references. */
  otherAttributes(path: string): string[];
  dataset(path: string): DatasetInfo;
  /** All values, row-major, little-endian; a copy. */
  readBytes(path: string): Uint8Array<ArrayBuffer>;
  /** A dataset of one string. */
  readText(path: string): string;
  close(): void;
}

/** A file that is being written. `close` tells whether everything reached the file. */
export interface LibraryWriter {
  /** Bigints become int64, numbers float64, texts strings of any length. */
  attribute(path: string, name: string, value: AttributeValue): void;
  group(path: string): void;
  /** One chunk holds the whole dataset, gzipped. */
  dataset(path: string, values: ElementArray, shape: readonly number[], gzipLevel: number): void;
  text(path: string, value: string): void;
  close(): void;
}

let loading: Promise<Library> | undefined;

/** Loads the library, once per thread: about 0.1 s. */
function loadLibrary(): Promise<Library> {
  loading ??= import("h5wasm").then(async (h5wasm) => {
    const module = await h5wasm.ready;
    // Its typings of the file system name fewer things than there are.
    const system: unknown = module.FS;
    assertFileSystem(system);
    const errors = { text: "" };
    takeErrorOutput(system, (text) => void (errors.text += text));
    return { h5wasm, module, system, errors };
  });
  return loading;
}

/** @throws {Error} whose text is the reason. */
export async function openWithLibrary(source: Source): Promise<LibraryFile> {
  const library = await loadLibrary();
  const host = "content" in source ? contentFile(source.content) : pathFile(source.path, "r");
  const { file, guarded, close } = openInside(library, host, "r");
  const { module } = library;
  const id = file.file_id;

  function attributeNames(path: string): string[] {
    return guarded(() => module.get_attribute_names(id, path));
  }
  function attribute(path: string, name: string): AttributeValue | undefined {
    return guarded(() => readAttribute(module, id, path, name));
  }
  function attributes(path: string): Attributes {
    const usable = new Map<string, AttributeValue>();
    for (const name of attributeNames(path)) {
      const value = attribute(path, name);
      if (value !== undefined) usable.set(name, value);
    }
    return usable;
  }

  return {
    names: (group) => guarded(() => module.get_names(id, group, false).toSorted(byCodeUnits)),
    kind: (path) => guarded(() => kindOf(module, id, path)),
    attributes,
    otherAttributes: (path) => attributeNames(path).filter((name) => attribute(path, name) === undefined),
    dataset(path) {
      const metadata = guarded(() => module.get_dataset_metadata(id, path));
      const filters = guarded(() => module.get_dataset_filters(id, path));
      return {
        name: path.slice(1),
        shape: metadata.shape ?? undefined,
        element: filters.some(({ id: filter }) => filter === FILTER_NBIT) ? undefined : elementOf(metadata),
        attributes: attributes(path),
        refusal: pluginRefusal(filters) ?? refusalOf(library, id, path, metadata),
      };
    },
    readBytes: (path) => guarded(() => readBytes(module, id, path)),
    readText: (path) => guarded(() => readText(module, id, path)),
    close,
  };
}

/**
 * Creates a file that must not exist yet, in the oldest format that holds it, which every reader knows.
 *
 * @throws errors of the file system.
 */
export async function createWithLibrary(path: string): Promise<LibraryWriter> {
  const library = await loadLibrary();
  const { file, guarded, close } = openInside(library, pathFile(path, "wx+"), "w");
  return {
    attribute(owner, name, value) {
      guarded(() => {
        const object = objectAt(library, file, owner);
        // Of integers the library takes arrays only.
        if (typeof value === "bigint") object.create_attribute(name, BigInt64Array.of(value), [], "<q");
        else object.create_attribute(name, value, null, typeof value === "number" ? "<d" : textType(value));
      });
    },
    group: (name) => void guarded(() => file.create_group(name.slice(1))),
    dataset(name, values, shape, gzipLevel) {
      const hasChunk = shape.length > 0 && values.length > 0;
      const stored = hasChunk ? { chunks: [...shape], compression: gzipLevel } : {};
      guarded(() => file.create_dataset({ name: name.slice(1), data: values, shape: [...shape], ...stored }));
    },
    text(name, value) {
      guarded(() => file.create_dataset({ name: name.slice(1), data: [value], shape: [], dtype: textType(value) }));
    },
    close,
  };
}

/** Opens `host` inside the library; on failure everything is closed again. */
function openInside(library: Library, host: HostFile, mode: "r" | "w") {
  const { h5wasm, module, system, errors } = library;
  const name = randomUUID();
  let open = false;
  function guarded<Result>(act: () => Result): Result {
    errors.text = "";
    let result: Result;
    try {
      result = act();
    } catch (error) {
      if (host.failure.error !== undefined) throw host.failure.error;
      throw new Error(reasonOf(errors.text || String(error)), { cause: error });
    }
    if (errors.text === "") return result;
    if (host.failure.error !== undefined) throw host.failure.error;
    throw new Error(reasonOf(errors.text));
  }
  function close(): void {
    try {
      if (open) guarded(() => module.close_file(file.file_id));
    } finally {
      if (open) system.unlink(`/${name}`);
      open = false;
      host.close();
    }
  }
  mountFile(system, name, host);
  open = true;
  let file: H5wasm.File;
  try {
    // `earliest` gives version 0 of the format, which all readers know, the oldest included.
    file = guarded(() => new h5wasm.File(`/${name}`, mode, mode === "w" ? { libver: ["earliest", "latest"] } : {}));
  } catch (error) {
    system.unlink(`/${name}`);
    host.close();
    throw error;
  }
  return { file, guarded, close };
}

/** Error stacks, outermost call first: the last line of the first one says what went wrong at the bottom. */
function reasonOf(text: string): string {
  const [, first = ""] = text.split("HDF5-DIAG:");
  const reasons = [...first.matchAll(/^\s*#\d+: .*? line \d+ in [^:]+: (.*)$/gm)].map((match) => match[1]!);
  return reasons.at(-1) ?? (text.split("\n")[0] || "the HDF5 library failed");
}

function kindOf(module: Module, id: bigint, path: string): ObjectKind {
  const type = module.get_type(id, path);
  // A link within the file would show an object a second time.
  if (type >= 0 && path !== "/" && module.get_symbolic_link(id, path) !== null) return "link";
  if (type === module.H5G_DATASET) return "dataset";
  if (type === module.H5G_GROUP) return "group";
  return type === module.H5G_LINK || type === module.H5G_UDLINK || type < 0 ? "link" : "other";
}

function objectAt({ h5wasm }: Library, file: H5wasm.File, path: string): H5wasm.Group | H5wasm.Dataset {
  const object = path === "/" ? file : file.get(path);
  if (object instanceof h5wasm.Group || object instanceof h5wasm.Dataset) return object;
  throw new Error(`there is no dataset or group "${path}"`);
}

function pluginRefusal(filters: readonly H5wasm.Filter[]): string | undefined {
  const plugin = filters.find(({ id }) => id >= FILTER_PLUGIN_MIN);
  if (plugin === undefined) return undefined;
  return `needs the filter "${plugin.name || plugin.id}", which this program does not have; store it with gzip`;
}

/** Virtual datasets say so. External storage does not: reading one element shows it, since nothing is there. */
function refusalOf({ module, errors }: Library, id: bigint, path: string, metadata: Metadata): string | undefined {
  const sources = metadata.virtual_sources;
  if (sources !== undefined) return `is a virtual dataset (of "${sources[0]?.file_name ?? "?"}"), which is refused`;
  const mayBeOutside = metadata.chunks === null && elementOf(metadata) !== undefined && metadata.total_size > 0;
  if (!mayBeOutside || !metadata.shape?.length) return undefined;
  const zeros = metadata.shape.map(() => 0n);
  const ones = metadata.shape.map(() => 1n);
  errors.text = "";
  const status = withMemory(module, metadata.size, (pointer) =>
    module.get_dataset_data(id, path, ones, zeros, ones, BigInt(pointer)),
  );
  if (status >= 0 && errors.text === "") return undefined;
  if (/external/i.test(errors.text)) return "has external storage, which is refused";
  return `cannot be read: ${reasonOf(errors.text)}`;
}

function readBytes(module: Module, id: bigint, path: string): Uint8Array<ArrayBuffer> {
  const metadata = module.get_dataset_metadata(id, path);
  const bytes = metadata.size * metadata.total_size;
  if (!Number.isSafeInteger(bytes) || bytes > DATASET_BYTES_MAX)
    throw new Error(`"${path}" takes ${bytes} bytes; at most ${DATASET_BYTES_MAX} can be read at a time`);
  return withMemory(module, bytes, (pointer) => {
    if (module.get_dataset_data(id, path, null, null, null, BigInt(pointer)) < 0)
      throw new Error(`"${path}" cannot be read`);
    return new Uint8Array(module.HEAPU8.subarray(pointer, pointer + bytes));
  });
}

function readText(module: Module, id: bigint, path: string): string {
  const metadata = module.get_dataset_metadata(id, path);
  if (!isText(metadata) || !isScalar(metadata)) throw new Error(`"${path}" is not a text`);
  return withMemory(module, metadata.size, (pointer) => {
    if (module.get_dataset_data(id, path, null, null, null, BigInt(pointer)) < 0)
      throw new Error(`"${path}" cannot be read`);
    const text = String(scalarAt(module, pointer, metadata));
    if (metadata.vlen) module.reclaim_vlen_memory(id, path, "", BigInt(pointer));
    return text;
  });
}

/** Undefined for what is neither a number nor a text. */
function readAttribute(module: Module, id: bigint, path: string, name: string): AttributeValue | undefined {
  const metadata = module.get_attribute_metadata(id, path, name);
  if (!isScalar(metadata)) return undefined;
  return withMemory(module, metadata.size, (pointer) => {
    if (module.get_attribute_data(id, path, name, BigInt(pointer)) < 0) throw new Error(`"${name}" cannot be read`);
    const value = scalarAt(module, pointer, metadata);
    if (metadata.vlen) module.reclaim_vlen_memory(id, path, name, BigInt(pointer));
    return value;
  });
}

/** Texts of plain ASCII get the type that h5py gives them; others are said to be UTF-8. */
function textType(text: string): "A" | "S" {
  return Buffer.byteLength(text) === text.length ? "A" : "S";
}
