/** Texts of scripts for the shell of other machines. */

/** `text` as one word. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

export function lines(...all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
