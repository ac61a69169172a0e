/**
 * Measuring and breaking text, so that margins come from what stands in them.
 *
 * The widths are those of Arimo, the font that ships with the package (see `raster.ts`). Arial, Helvetica and
 * Liberation Sans have the same widths by design, so a figure keeps its layout in any SVG viewer that has one of them.
 */

export const FONT_FAMILY = "Arimo, Arial, Helvetica, 'Liberation Sans', sans-serif";

/** Sizes in pixels of a figure at scale 1; a figure set in one journal column comes out at about 7 to 9 pt. */
export const TEXT = { title: 15, label: 13, tick: 12, note: 11 } as const;

/** Distance from one baseline to the next, in units of the font size. */
export const LINE_HEIGHT = 1.25;

/** Widths of the characters 32 to 126 in thousandths of the font size. */
const WIDTHS = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
  556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
  722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
  556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
  260, 334, 584,
] as const;
const NARROW = /[\u00b2\u00b3\u00b9\u2070-\u2079\u207b\u00b7]/u;
const WIDE = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60\u{1f000}-\u{3ffff}]/u;

/** Bold letters are a little wider; 8 % covers every text of more than one letter. */
const BOLD = 1.08;

/** Width of one line of text in pixels. */
export function textWidth(text: string, size: number, weight: "normal" | "bold" = "normal"): number {
  let thousandths = 0;
  for (const character of text) {
    thousandths += WIDTHS[character.codePointAt(0)! - 32] ?? widthBeyondAscii(character);
  }
  return (thousandths / 1000) * size * (weight === "bold" ? BOLD : 1);
}

function widthBeyondAscii(character: string): number {
  if (NARROW.test(character)) return 333;
  return WIDE.test(character) ? 1000 : 600;
}

/** The greatest width of several lines; 0 of none. */
export function widestOf(texts: readonly string[], size: number): number {
  return texts.reduce((widest, text) => Math.max(widest, textWidth(text, size)), 0);
}

/** Breaks `text` at spaces, and inside a word only where the word alone is too wide. */
export function wrapText(text: string, widthMax: number, size: number, weight: "normal" | "bold" = "normal"): string[] {
  const fits = (candidate: string): boolean => textWidth(candidate, size, weight) <= widthMax;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/u).filter((part) => part !== "")) {
    if (line !== "" && fits(`${line} ${word}`)) {
      line = `${line} ${word}`;
      continue;
    }
    if (line !== "") lines.push(line);
    line = "";
    for (const character of word) {
      if (line !== "" && !fits(line + character)) {
        lines.push(line);
        line = "";
      }
      line += character;
    }
  }
  return line === "" ? lines : [...lines, line];
}
