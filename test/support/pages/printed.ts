/** Pages of which a part is printed from the code, between two marks; the rest is written by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a page says between its marks of this name, and what it would say. With UPDATE_DOCUMENTS=1 it is made to say so. */
export function compared(page: string, name: string, printed: string): { says: string; should: string } {
  if (process.env["UPDATE_DOCUMENTS"] === "1") print(page, name, printed);
  const { text, from, to } = placeOf(page, name);
  return { says: text.slice(from, to), should: between(printed) };
}

/** Puts text between the marks of a page. */
export function print(page: string, name: string, printed: string): void {
  const { text, from, to } = placeOf(page, name);
  writeFileSync(join(process.cwd(), page), text.slice(0, from) + between(printed) + text.slice(to));
}

function between(printed: string): string {
  return `\n\n${printed.trim()}\n\n`;
}

function placeOf(page: string, name: string): { text: string; from: number; to: number } {
  const text = sourceOf(page);
  const start = `<!-- printed: ${name} -->`;
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(`<!-- end: ${name} -->`)];
  if (!text.includes(start) || to < from) throw new Error(`Cannot print ${page}: it has no place for "${name}"`);
  return { text, from, to };
}

/** Of a file of this repository; tests and commands run at its root. */
export function sourceOf(file: string): string {
  return readFileSync(join(process.cwd(), file), "utf8");
}

/** Cells of a table in Markdown; bars would end them. */
export function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;
}
