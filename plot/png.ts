/** A small PNG encoder: one byte a pixel, colours from a palette. */
import { constants, deflateSync } from "node:zlib";
import { assert } from "../common/assert.ts";

/** Pixels as palette indices, row by row from the top; index 0 is transparent. */
export interface IndexedPixels {
  readonly width: number;
  readonly height: number;
  readonly indices: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/**
 * Encodes as an 8-bit palette PNG.
 *
 * The palettes of maps run from low to high, so neighbouring pixels differ little, and filters that store differences
 * pay as they do for grey pictures. Deflate runs in its run-length mode: that searches no hash tables, whose layout
 * depends on the processor, so a figure has the same bytes on every machine.
 *
 * @param palette Red, green, blue of each index; at most 256 colours, index 0 transparent.
 */
export function encodePng({ width, height, indices }: IndexedPixels, palette: Uint8Array): Uint8Array {
  assert(indices.length === width * height, () => `${indices.length} pixels are not ${width} x ${height}`);
  assert(palette.length % 3 === 0 && palette.length <= 768, () => `a palette of ${palette.length} bytes`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits, palette, deflate, standard filters, not interlaced
  const lines = filterRows(width, height, indices);
  const data = deflateSync(lines, { level: 9, memLevel: 9, strategy: constants.Z_RLE });
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    block("IHDR", header),
    block("PLTE", palette),
    block("tRNS", Uint8Array.of(0)),
    block("IDAT", data),
    block("IEND", new Uint8Array(0)),
  ]);
}

const HEADER_END = SIGNATURE.length + 25;

/** The same PNG with its resolution in it; `png` has none yet. */
export function withResolution(png: Uint8Array, dotsPerInch: number): Uint8Array {
  const density = Buffer.alloc(9);
  const dotsPerMetre = Math.round(dotsPerInch / 0.0254);
  density.writeUInt32BE(dotsPerMetre, 0);
  density.writeUInt32BE(dotsPerMetre, 4);
  density[8] = 1; // the unit is the metre
  return Buffer.concat([png.subarray(0, HEADER_END), block("pHYs", density), png.subarray(HEADER_END)]);
}

/** Filter types of the PNG specification: what is subtracted from a pixel. */
const FILTERS = { none: 0, left: 1, up: 2 } as const;

/** Each row with the filter that leaves the least to store, measured by the sum of the differences. */
function filterRows(width: number, height: number, indices: Uint8Array): Uint8Array {
  const stride = width + 1;
  const lines = new Uint8Array(stride * height);
  const above = new Uint8Array(width);
  const filtered = { none: new Uint8Array(width), left: new Uint8Array(width), up: new Uint8Array(width) };
  for (let y = 0; y < height; y += 1) {
    const row = indices.subarray(y * width, (y + 1) * width);
    filtered.none.set(row);
    for (let x = 0; x < width; x += 1) {
      filtered.left[x] = row[x]! - (x === 0 ? 0 : row[x - 1]!);
      filtered.up[x] = row[x]! - above[x]!;
    }
    const best = lightest(filtered);
    lines[y * stride] = FILTERS[best];
    lines.set(filtered[best], y * stride + 1);
    above.set(row);
  }
  return lines;
}

function lightest(filtered: Readonly<Record<keyof typeof FILTERS, Uint8Array>>): keyof typeof FILTERS {
  const [none, left, up] = [weight(filtered.none), weight(filtered.left), weight(filtered.up)];
  if (up <= left && up <= none) return "up";
  return left <= none ? "left" : "none";
}

/** Sum of the bytes taken as signed differences. */
function weight(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += Math.min(byte, 256 - byte);
  return sum;
}

function block(type: string, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(content.length + 12);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, content.length + 8)), content.length + 8);
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  return remainder;
});

/** Node's own `zlib.crc32` came with version 22. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
