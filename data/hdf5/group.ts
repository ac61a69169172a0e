/**
 * Names and addresses in a group of the oldest kind: a B-tree of symbol nodes, names in a local heap.
 * HDF5 File Format Specification 3.0, sections III.A.1 (B-tree), III.B (symbol nodes), III.D (local heap).
 */
import { forAll, type ByteSource } from "./bytes.ts";
import { requirePlain, signatureIs, uint64 } from "./not-plain.ts";

export interface GroupEntry {
  readonly name: string;
  readonly headerAddress: number;
}

/** Far above any shard; a damaged tree could otherwise be walked for ever. */
const NODES_MAX = 100_000;
const LEVEL_MAX = 32;

const NODE_HEADER_BYTES = 24;
const ENTRY_BYTES = 40;
/** Cached information in an entry: 0 nothing, 1 a group's. 2 is a soft link, which the library handles. */
const CACHE_GROUP = 1;

/** Entries ascending by the bytes of their names. @throws {NotPlain} and errors of `bytes` */
export function readGroup(bytes: ByteSource, treeAddress: number, heapAddress: number): GroupEntry[] {
  const names = readHeap(bytes, heapAddress);
  const entries: GroupEntry[] = [];
  let last: Uint8Array = new Uint8Array(0);
  let nodes = 0;
  function descend(address: number, parentLevel: number): void {
    requirePlain(++nodes <= NODES_MAX, "too many nodes in a group");
    const header = bytes.block(address, NODE_HEADER_BYTES);
    requirePlain(signatureIs(header, "TREE") && header.getUint8(4) === 0, "a group without its B-tree");
    const level = header.getUint8(5);
    requirePlain(level < parentLevel, "a B-tree that does not descend");
    const used = header.getUint16(6, true);
    const body = bytes.block(address + NODE_HEADER_BYTES, 8 + used * 16);
    forAll(Array(used).keys(), (child) => {
      const below = uint64(body, 8 + child * 16);
      if (level > 0) descend(below, level);
      else readSymbols(below);
    });
  }
  function readSymbols(address: number): void {
    const header = bytes.block(address, 8);
    requirePlain(signatureIs(header, "SNOD") && header.getUint8(4) === 1, "a group without its symbols");
    const count = header.getUint16(6, true);
    const body = bytes.block(address + 8, count * ENTRY_BYTES);
    for (let index = 0; index < count; index++) {
      const at = index * ENTRY_BYTES;
      requirePlain(body.getUint32(at + 16, true) <= CACHE_GROUP, "a soft link");
      const raw = nameAt(names, uint64(body, at));
      requirePlain(Buffer.compare(last, raw) < 0, "names that do not ascend");
      last = raw;
      const name = textOf(raw);
      requirePlain(!name.includes("\ufffd"), "a name that is not UTF-8");
      entries.push({ name, headerAddress: uint64(body, at + 8) });
    }
  }
  descend(treeAddress, LEVEL_MAX);
  return entries;
}

function readHeap(bytes: ByteSource, address: number): Uint8Array {
  const header = bytes.block(address, 32);
  requirePlain(signatureIs(header, "HEAP") && header.getUint8(4) === 0, "a group without its names");
  const segment = bytes.block(uint64(header, 24), uint64(header, 8));
  return new Uint8Array(segment.buffer, segment.byteOffset, segment.byteLength);
}

function nameAt(names: Uint8Array, offset: number): Uint8Array {
  const end = offset < names.length ? names.indexOf(0, offset) : -1;
  requirePlain(end > offset, "a name outside its heap");
  return names.subarray(offset, end);
}

/** UTF-8; also from memory that threads share. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
