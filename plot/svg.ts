/** Writing SVG: elements as strings, every text escaped, every number the same on every machine. */
import { FONT_FAMILY, LINE_HEIGHT, TEXT } from "./text.ts";

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Colours of everything that is not data. */
export const INK = { text: "#1a1a1a", quiet: "#4d4d4d", axis: "#1a1a1a", grid: "#e4e4e4", mark: "#6b6b6b" } as const;

/** A place or length: hundredths of a pixel are finer than any printer. */
function numberText(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return String(rounded === 0 ? 0 : rounded);
}

// Control characters are not allowed in XML, not even escaped; lone surrogates neither.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** `text` for an XML text or attribute; characters that XML forbids become U+FFFD. */
export function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, "\ufffd").replace(/[&<>"']/gu, (character) => ENTITIES[character]!);
}

/** One element; `children` are markup already. An attribute that is `undefined` is left out. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  let markup = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    markup += ` ${key}="${typeof value === "number" ? numberText(value) : escapeXml(value)}"`;
  }
  return children.length === 0 ? `${markup}/>` : `${markup}>${children.join("")}</${name}>`;
}

export interface TextStyle {
  readonly size: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "normal" | "bold";
  readonly fill?: string;
  /** Degrees about the anchor point; -90 reads upwards. */
  readonly rotate?: number;
}

/** One line of text whose baseline starts, is centred or ends at (x, y). */
export function textLine(text: string, x: number, y: number, style: TextStyle): string {
  const anchor = style.anchor === "start" ? undefined : style.anchor;
  const attributes: Attributes = {
    x,
    y,
    "font-size": style.size,
    "font-weight": style.weight === "bold" ? "bold" : undefined,
    "text-anchor": anchor,
    fill: style.fill ?? INK.text,
    transform: style.rotate === undefined ? undefined : `rotate(${style.rotate} ${numberText(x)} ${numberText(y)})`,
  };
  return element("text", attributes, escapeXml(text));
}

/** Lines below one another, the first baseline at `y`; with `rotate` -90 they go from left to right. */
export function textLines(lines: readonly string[], x: number, y: number, style: TextStyle): string[] {
  const step = style.size * LINE_HEIGHT;
  return lines.map((line, index) =>
    style.rotate === undefined
      ? textLine(line, x, y + index * step, style)
      : textLine(line, x + index * step, y, style),
  );
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The data of a path through the points: `M0 0L1 1`. */
export function pathData(points: readonly Point[]): string {
  return points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${numberText(x)} ${numberText(y)}`).join("");
}

/** A whole figure: white ground, one font, a title for screen readers. Ends with a newline. */
export function svgDocument(
  size: { width: number; height: number },
  title: string,
  children: readonly string[],
): string {
  const [width, height] = [Math.ceil(size.width), Math.ceil(size.height)];
  const attributes: Attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "font-family": FONT_FAMILY,
    "font-size": TEXT.tick,
  };
  const ground = element("rect", { width, height, fill: "#ffffff" });
  const name = element("title", {}, escapeXml(title));
  return `${element("svg", attributes, ["", name, ground, ...children, ""].join("\n"))}\n`;
}
