/** What stands above and below a figure: title, subtitle, notes. */
import { INK, textLines } from "./svg.ts";
import { LINE_HEIGHT, TEXT, wrapText } from "./text.ts";

export interface Heading {
  readonly title: string;
  /** What was computed, in smaller letters. */
  readonly subtitle?: string;
}

/** Lines of text with the height they take; drawn with their top at y. */
export interface TextBlock {
  readonly height: number;
  draw(x: number, y: number): string[];
}

/** Room around a figure. */
export const PADDING = 12;
const AFTER_HEADING = 12;
const BEFORE_NOTES = 10;

export function headingBlock({ title, subtitle }: Heading, width: number): TextBlock {
  const titles = wrapText(title, width, TEXT.title, "bold");
  const subtitles = wrapText(subtitle ?? "", width, TEXT.tick);
  const titleHeight = titles.length * TEXT.title * LINE_HEIGHT;
  const height = titleHeight + subtitles.length * TEXT.tick * LINE_HEIGHT;
  return {
    height: height === 0 ? 0 : height + AFTER_HEADING,
    draw: (x, y) => [
      ...textLines(titles, x, y + TEXT.title * 0.9, { size: TEXT.title, weight: "bold" }),
      ...textLines(subtitles, x, y + titleHeight + TEXT.tick, { size: TEXT.tick, fill: INK.quiet }),
    ],
  };
}

/** Each note begins a new line. */
export function notesBlock(notes: readonly string[], width: number): TextBlock {
  const lines = notes.flatMap((note) => wrapText(note, width, TEXT.note));
  return {
    height: lines.length === 0 ? 0 : BEFORE_NOTES + lines.length * TEXT.note * LINE_HEIGHT,
    draw: (x, y) => textLines(lines, x, y + BEFORE_NOTES + TEXT.note * 0.8, { size: TEXT.note, fill: INK.quiet }),
  };
}
