/**
 * The part of one PE task: the place of each series in the map and its value in each map, map after map, so that
 * reducing reads the maps it needs and no others.
 *
 * Layout, little-endian, each block aligned to 8 bytes:
 * magic, header length (u32), header (JSON) · x, y (i32 [series]) · x_variable, y_variable (f64 [series]) ·
 * values (f64 [maps, series]) · status (u8 [maps, series]).
 * Map index: (measure * delays + delay) * orders + order, as places in the job's lists.
 */
import { PeError, type ErrorRecord } from "../../common/errors.ts";

const MAGIC = "PEPART01";
const PREFIX_BYTES = 16;

/** Something that keeps a series of this file from being computed. */
export interface SeriesProblem extends ErrorRecord {
  readonly dataset?: string;
  readonly x?: number;
  readonly y?: number;
}

export interface PartHeader {
  readonly file: string;
  readonly sha256: string;
  readonly series: number;
  readonly maps: number;
  readonly problems: SeriesProblem[];
}

export interface PePart {
  readonly header: PartHeader;
  readonly x: Int32Array;
  readonly y: Int32Array;
  readonly xVariable: Float64Array;
  readonly yVariable: Float64Array;
  /** Shape [maps, series]. */
  readonly values: Float64Array;
  /** Shape [maps, series]; codes of data/maps. */
  readonly status: Uint8Array;
}

/** Byte offsets of the blocks of a part. */
export interface PartLayout {
  readonly x: number;
  readonly y: number;
  readonly xVariable: number;
  readonly yVariable: number;
  readonly values: number;
  readonly status: number;
  readonly end: number;
}

export function encodePart(part: PePart): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(JSON.stringify(part.header));
  const layout = partLayout(header.byteLength, part.header);
  const bytes = new Uint8Array(layout.end);
  bytes.set(new TextEncoder().encode(MAGIC));
  new DataView(bytes.buffer).setUint32(MAGIC.length, header.byteLength, true);
  bytes.set(header, PREFIX_BYTES);
  bytes.set(bytesOf(part.x), layout.x);
  bytes.set(bytesOf(part.y), layout.y);
  bytes.set(bytesOf(part.xVariable), layout.xVariable);
  bytes.set(bytesOf(part.yVariable), layout.yVariable);
  bytes.set(bytesOf(part.values), layout.values);
  bytes.set(part.status, layout.status);
  return bytes;
}

/** @throws {PeError} `PE_RESULTS_UNREADABLE` when `bytes` are not a whole part. */
export function decodePart(name: string, bytes: Uint8Array): PePart & { layout: PartLayout } {
  if (bytes.byteLength < PREFIX_BYTES || new TextDecoder().decode(bytes.subarray(0, MAGIC.length)) !== MAGIC)
    throw new PeError("PE_RESULTS_UNREADABLE", `Cannot read part "${name}": it does not begin with ${MAGIC}`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  const header = JSON.parse(
    new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + headerBytes)),
  ) as PartHeader;
  const layout = partLayout(headerBytes, header);
  if (layout.end !== bytes.byteLength)
    throw new PeError(
      "PE_RESULTS_UNREADABLE",
      `Cannot read part "${name}": it has ${bytes.byteLength} bytes, not ${layout.end}`,
    );
  // A copy is aligned, whatever the place of `bytes` in its memory; `slice` of a Buffer would not copy.
  const memory = new Uint8Array(bytes).buffer;
  const { series, maps } = header;
  return {
    header,
    layout,
    x: new Int32Array(memory, layout.x, series),
    y: new Int32Array(memory, layout.y, series),
    xVariable: new Float64Array(memory, layout.xVariable, series),
    yVariable: new Float64Array(memory, layout.yVariable, series),
    values: new Float64Array(memory, layout.values, series * maps),
    status: new Uint8Array(memory, layout.status, series * maps),
  };
}

/** What a part, or its beginning, says of itself; undefined where that is not whole. It vouches for nothing. */
export function readPartHeader(bytes: Uint8Array): PartHeader | undefined {
  if (bytes.byteLength < PREFIX_BYTES || new TextDecoder().decode(bytes.subarray(0, MAGIC.length)) !== MAGIC)
    return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  if (bytes.byteLength < PREFIX_BYTES + length) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length))) as PartHeader;
  } catch {
    return undefined;
  }
}

function partLayout(headerBytes: number, { series, maps }: PartHeader): PartLayout {
  const x = align(PREFIX_BYTES + headerBytes);
  const y = align(x + 4 * series);
  const xVariable = align(y + 4 * series);
  const yVariable = xVariable + 8 * series;
  const values = yVariable + 8 * series;
  const status = values + 8 * series * maps;
  return { x, y, xVariable, yVariable, values, status, end: status + series * maps };
}

function align(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

function bytesOf(array: Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
