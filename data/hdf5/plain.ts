/**
 * A reader of plain HDF5 files, many times faster than the library: the datasets at the root of a file of the oldest
 * format (superblock 0, which HDF5 writes by default up to version 1.14), of plain numbers, stored in one piece or in
 * chunks with deflate, shuffle or Fletcher-32.
 *
 * Strict: anything else, and anything damaged in the metadata, makes `openPlain` throw; the library is asked then. So
 * there are two outcomes only: the same answer as the library's, or the library's answer.
 */
import { assert } from "../../common/assert.ts";
import { forAll, openBytes } from "./bytes.ts";
import type { ByteSource } from "./bytes.ts";
import { readChunks } from "./chunks.ts";
import type { Chunk } from "./chunks.ts";
import { unfilter } from "./filters.ts";
import { readGroup } from "./group.ts";
import { FILTER, parseAttribute, parseDataspace, parseDatatype, parseFilters, parseLayout } from "./messages.ts";
import type { Layout, StoredType } from "./messages.ts";
import { byCodeUnits, DATASET_BYTES_MAX } from "./model.ts";
import type { AttributeValue, DatasetInfo, RootFile, Source } from "./model.ts";
import { requirePlain, signatureIs, uint64, UNDEFINED_ADDRESS } from "./not-plain.ts";
import { MESSAGE, readObjectHeader } from "./object-header.ts";
import type { HeaderMessage } from "./object-header.ts";

const SUPERBLOCK_BYTES = 96;

/** Where the values of a dataset lie. Datasets that no series can be have no storage. */
type Storage =
  | { readonly kind: "unwritten" }
  | { readonly kind: "whole"; readonly position: number }
  | { readonly kind: "compact"; readonly bytes: Uint8Array }
  | {
      readonly kind: "chunks";
      readonly chunks: readonly Chunk[];
      readonly chunkBytes: number;
      readonly filters: number[];
    };

interface PlainDataset extends DatasetInfo {
  readonly bigEndian: boolean;
  readonly bytes: number;
  readonly storage: Storage | undefined;
}

/** @throws {Error} when the file is not plain or cannot be read; nothing stays open then. */
export function openPlain(source: Source): RootFile {
  const bytes = openBytes(source);
  try {
    return readRoot(bytes);
  } catch (error) {
    bytes.close();
    throw error;
  }
}

/** @throws {NotPlain} and errors of `bytes`, which stays open. */
export function readRoot(bytes: ByteSource): RootFile {
  const superblock = bytes.block(0, SUPERBLOCK_BYTES);
  requirePlain(signatureIs(superblock, "\x89HDF\r\n\x1a\n"), "no signature at its start");
  requirePlain(superblock.getUint8(8) === 0 && superblock.getUint16(13, true) === 0x0808, "another superblock");
  requirePlain(uint64(superblock, 24) === 0 && uint64(superblock, 40) <= bytes.size, "another address space");
  const root = readObjectHeader(bytes, uint64(superblock, 64));
  const table = only(root, MESSAGE.symbolTable);
  requirePlain(table !== undefined, "a root group of another kind");
  const datasets: PlainDataset[] = [];
  forAll(readGroup(bytes, uint64(table, 0), uint64(table, 8)), ({ name, headerAddress }) => {
    const messages = readObjectHeader(bytes, headerAddress);
    const has = (type: number): boolean => messages.some((message) => message.type === type);
    if (has(MESSAGE.dataspace) || has(MESSAGE.layout)) datasets.push(readDataset(bytes, name, messages));
    else requirePlain(has(MESSAGE.symbolTable) !== has(MESSAGE.datatype), "neither a group nor a type");
  });
  datasets.sort((a, b) => byCodeUnits(a.name, b.name));
  return {
    attributes: attributesOf(root),
    datasets,
    readBytes: (index) => readValues(bytes, datasets[index]!),
    close: () => bytes.close(),
  };
}

function readDataset(bytes: ByteSource, name: string, messages: readonly HeaderMessage[]): PlainDataset {
  const space = only(messages, MESSAGE.dataspace);
  const datatype = only(messages, MESSAGE.datatype);
  const layout = only(messages, MESSAGE.layout);
  requirePlain(space !== undefined && datatype !== undefined && layout !== undefined, "a dataset without its parts");
  const pipeline = only(messages, MESSAGE.filters);
  const shape = parseDataspace(space);
  const type = parseDatatype(datatype);
  const filters = pipeline === undefined ? [] : parseFilters(pipeline, type.bytes);
  const storage = storageOf(bytes, shape, type, parseLayout(layout), filters);
  return {
    name,
    shape,
    element: type.element,
    attributes: attributesOf(messages),
    // The library would read zeros, and entropy would be computed of them.
    refusal: storage?.kind === "unwritten" ? "was never written in full" : undefined,
    bigEndian: type.bigEndian,
    bytes: (shape ?? [0]).reduce((product, length) => product * length, type.bytes),
    storage,
  };
}

/** The only message of a type. */
function only(messages: readonly HeaderMessage[], type: number): DataView | undefined {
  const found = messages.filter((message) => message.type === type);
  requirePlain(found.length <= 1, `${found.length} messages of type ${type}`);
  return found[0]?.view;
}

function attributesOf(messages: readonly HeaderMessage[]): Map<string, AttributeValue> {
  const attributes = new Map<string, AttributeValue>();
  const names = new Set<string>();
  for (const { type, view } of messages) {
    if (type !== MESSAGE.attribute) continue;
    const { name, value } = parseAttribute(view);
    requirePlain(!names.has(name), "two attributes of one name");
    names.add(name);
    if (value !== undefined) attributes.set(name, value);
  }
  return attributes;
}

function storageOf(
  bytes: ByteSource,
  shape: readonly number[] | undefined,
  { element, bytes: width }: StoredType,
  layout: Layout,
  filters: number[],
): Storage | undefined {
  // A series has one dimension, or a second of length 1; others are refused by whoever asks, and never read.
  const isSeries = element !== undefined && (shape?.length === 1 || (shape?.length === 2 && shape[1] === 1));
  if (!isSeries) return undefined;
  const [length, ...rest] = shape;
  const total = length! * width;
  if (total > DATASET_BYTES_MAX) return undefined;
  if (layout.kind === "compact") {
    requirePlain(filters.length === 0 && layout.view.byteLength === total, "compact data of another length");
    return { kind: "compact", bytes: new Uint8Array(layout.view.buffer, layout.view.byteOffset, total) };
  }
  if (layout.kind === "contiguous") {
    requirePlain(filters.length === 0, "filters without chunks");
    if (total > 0 && layout.address === UNDEFINED_ADDRESS) return { kind: "unwritten" };
    if (total === 0) return { kind: "whole", position: 0 };
    requirePlain(layout.bytes === total && layout.address + total <= bytes.size, "data outside the file");
    return { kind: "whole", position: layout.address };
  }
  const [chunkLength, ...chunkRest] = layout.chunk;
  const isLine = layout.chunk.length === shape.length && chunkRest.every((side) => side === 1);
  requirePlain(isLine && layout.elementBytes === width, "chunks of another shape");
  const dimensions = { rank: 1 + rest.length, length: length!, chunkLength: chunkLength! };
  const chunks = readChunks(bytes, layout.treeAddress, dimensions);
  if (chunks === undefined) return { kind: "unwritten" };
  for (const { address, bytes: stored } of chunks)
    requirePlain(address + stored <= bytes.size, "a chunk outside the file");
  return { kind: "chunks", chunks, chunkBytes: chunkLength! * width, filters };
}

/** Grows to the largest dataset of this thread and stays. */
let scratch = new Uint8Array(0);

function readValues(bytes: ByteSource, { storage, bytes: total, element, bigEndian }: PlainDataset): Uint8Array {
  assert(element !== undefined, "a dataset that is no series was read");
  assert(storage !== undefined && storage.kind !== "unwritten", "a dataset that is no series was read");
  const values = valuesOf(bytes, storage, total, element.bytes);
  if (bigEndian) swapBytes(values, element.bytes);
  return values;
}

/** Bytes that are valid until the next read of this thread, at an offset that is a multiple of 8. */
function valuesOf(
  bytes: ByteSource,
  storage: Exclude<Storage, { kind: "unwritten" }>,
  total: number,
  width: number,
): Uint8Array {
  if (storage.kind !== "chunks") {
    const values = room(total);
    values.set(storage.kind === "compact" ? storage.bytes : bytes.data(storage.position, total));
    return values;
  }
  const { chunks, chunkBytes, filters } = storage;
  const pieceOf = (chunk: Chunk): Uint8Array =>
    unfilter(bytes.data(chunk.address, chunk.bytes), filters, chunk, { expected: chunkBytes, width });
  if (chunks.length === 1 && chunkBytes === total && chunks[0]!.skipped === 0 && filters.includes(FILTER.deflate)) {
    const values = pieceOf(chunks[0]!);
    if (values.byteOffset % 8 === 0) return values;
    const aligned = room(total);
    aligned.set(values);
    return aligned;
  }
  const values = room(total);
  let at = 0;
  for (const chunk of chunks) {
    // The last chunk is stored whole, however little of it belongs to the dataset.
    values.set(pieceOf(chunk).subarray(0, total - at), at);
    at += chunkBytes;
  }
  return values;
}

function room(total: number): Uint8Array {
  if (scratch.length < total) scratch = new Uint8Array(total);
  return scratch.subarray(0, total);
}

function swapBytes(values: Uint8Array, width: number): void {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (width === 2) bytes.swap16();
  else if (width === 4) bytes.swap32();
  else if (width === 8) bytes.swap64();
}
