/** Reads figures back: pixels of a PNG, texts and pictures of an SVG. Independent of the code that wrote them. */
import { crc32 } from "./crc32.ts";
import { inflateSync } from "node:zlib";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Pixels per metre; 0 where the PNG does not say. */
  readonly pixelsPerMetre: number;
  /** Red, green, blue, alpha of the pixel in column x and row y, row 0 on top. */
  pixel(x: number, y: number): [number, number, number, number];
}

/** Decodes an 8-bit PNG with palette, RGB or RGBA; checks every CRC. */
export function readPng(bytes: Uint8Array): Picture {
  const png = Buffer.from(bytes);
  if (png.toString("latin1", 0, 8) !== "\x89PNG\r\n\x1a\n") throw new Error("no PNG signature");
  const blocks = new Map<string, Buffer>();
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const content = png.subarray(at + 8, at + 8 + length);
    if (crc32(png.subarray(at + 4, at + 8 + length)) !== png.readUInt32BE(at + 8 + length))
      throw new Error(`wrong CRC of ${type}`);
    blocks.set(type, Buffer.concat([blocks.get(type) ?? Buffer.alloc(0), content]));
    at += length + 12;
  }
  const header = blocks.get("IHDR")!;
  const [width, height, kind] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]!];
  const channels = { 2: 3, 3: 1, 6: 4 }[kind];
  if (channels === undefined || header[8] !== 8) throw new Error(`PNG of kind ${kind}`);
  const rows = unfilter(inflateSync(blocks.get("IDAT")!), width * channels, height, channels);
  const [palette, alphas] = [blocks.get("PLTE"), blocks.get("tRNS")];
  return {
    width,
    height,
    pixelsPerMetre: blocks.get("pHYs")?.readUInt32BE(0) ?? 0,
    pixel(x, y) {
      const at = (y * width + x) * channels;
      if (kind !== 3) return [rows[at]!, rows[at + 1]!, rows[at + 2]!, kind === 6 ? rows[at + 3]! : 255];
      const index = rows[at]!;
      return [...palette!.subarray(index * 3, index * 3 + 3), alphas?.[index] ?? 255] as [
        number,
        number,
        number,
        number,
      ];
    },
  };
}

function unfilter(data: Uint8Array, stride: number, height: number, step: number): Uint8Array {
  if (data.length !== (stride + 1) * height) throw new Error("PNG rows have the wrong length");
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (stride + 1)]!;
    for (let at = 0; at < stride; at += 1) {
      const left = at < step ? 0 : rows[y * stride + at - step]!;
      const up = y === 0 ? 0 : rows[(y - 1) * stride + at]!;
      const corner = at < step || y === 0 ? 0 : rows[(y - 1) * stride + at - step]!;
      const predicted = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      if (predicted === undefined) throw new Error(`PNG filter ${filter}`);
      rows[y * stride + at] = data[y * (stride + 1) + 1 + at]! + predicted;
    }
  }
  return rows;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

export interface SvgText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly anchor: string;
  readonly rotated: boolean;
}

/** The texts of a figure in drawing order, entities resolved. */
export function readTexts(svg: string): SvgText[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/gu)].map(([, attributes, content]) => ({
    text: unescapeXml(content!),
    x: attributeNumber(attributes!, "x"),
    y: attributeNumber(attributes!, "y"),
    size: attributeNumber(attributes!, "font-size"),
    anchor: /text-anchor="(\w+)"/u.exec(attributes!)?.[1] ?? "start",
    rotated: attributes!.includes("rotate("),
  }));
}

export interface SvgPicture extends Picture {
  readonly area: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** The embedded PNGs in drawing order: of a map the cells, then the colour bar. */
export function readPictures(svg: string): SvgPicture[] {
  return [...svg.matchAll(/<image ([^>]*)\/>/gu)].map(([, attributes]) => {
    const base64 = /href="data:image\/png;base64,([^"]+)"/u.exec(attributes!)![1]!;
    const [x, y] = [attributeNumber(attributes!, "x"), attributeNumber(attributes!, "y")];
    const [width, height] = [attributeNumber(attributes!, "width"), attributeNumber(attributes!, "height")];
    const picture = readPng(Buffer.from(base64, "base64"));
    return { ...picture, area: { x, y, width, height } };
  });
}

/** Size of the figure in pixels. */
export function readSize(svg: string): { width: number; height: number } {
  const root = /<svg ([^>]*)>/u.exec(svg)![1]!;
  return { width: attributeNumber(root, "width"), height: attributeNumber(root, "height") };
}

function attributeNumber(attributes: string, name: string): number {
  return Number(new RegExp(`(?:^| )${name}="([^"]*)"`, "u").exec(attributes)![1]);
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'" };
  return text.replaceAll(/&([^;]+);/gu, (_, name: string) => entities[name]!);
}
