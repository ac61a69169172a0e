/**
 * The messages of an object header of the oldest version, with its continuation blocks.
 * HDF5 File Format Specification 3.0, section IV.A.1.a.
 */
import type { ByteSource } from "./bytes.ts";
import { requirePlain, uint64 } from "./not-plain.ts";

export interface HeaderMessage {
  readonly type: number;
  readonly view: DataView;
}

export const MESSAGE = {
  nil: 0x00,
  dataspace: 0x01,
  datatype: 0x03,
  fillValueOld: 0x04,
  fillValue: 0x05,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  comment: 0x0d,
  modifiedOld: 0x0e,
  continuation: 0x10,
  symbolTable: 0x11,
  modified: 0x12,
} as const;

const KNOWN: ReadonlySet<number> = new Set(Object.values(MESSAGE));

/** More than the format allows in one header would take; a damaged chain of blocks could otherwise go round. */
const BLOCKS_MAX = 1000;
const FLAG_SHARED = 0x02;

/** @throws {NotPlain} for other versions, shared messages and messages of unknown types, and errors of `bytes` */
export function readObjectHeader(bytes: ByteSource, address: number): HeaderMessage[] {
  const prefix = bytes.block(address, 16);
  requirePlain(prefix.getUint8(0) === 1, "an object header of another version");
  const messages: HeaderMessage[] = [];
  let total = 0;
  const blocks = [{ position: address + 16, length: prefix.getUint32(8, true) }];
  for (let block = blocks.shift(), count = 1; block !== undefined; block = blocks.shift(), count++) {
    requirePlain(count <= BLOCKS_MAX, "too many blocks in an object header");
    const view = bytes.block(block.position, block.length);
    for (let at = 0; at + 8 <= block.length;) {
      const type = view.getUint16(at, true);
      const size = view.getUint16(at + 2, true);
      requirePlain(KNOWN.has(type) && (view.getUint8(at + 4) & FLAG_SHARED) === 0, `a message of type ${type}`);
      requirePlain(at + 8 + size <= block.length, "a message beyond its block");
      const body = new DataView(view.buffer, view.byteOffset + at + 8, size);
      if (type === MESSAGE.continuation) blocks.push({ position: uint64(body, 0), length: uint64(body, 8) });
      else if (type !== MESSAGE.nil) messages.push({ type, view: body });
      at += 8 + size;
      total++;
    }
  }
  requirePlain(total === prefix.getUint16(2, true), "another number of messages");
  return messages;
}
