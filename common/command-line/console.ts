/** Where a command writes: results to stdout, everything else to stderr. A test gives its own. */
export interface Console {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether stderr shows a live bar. */
  readonly isTerminal: boolean;
  /** Of the terminal, now: lines that are drawn over again must neither wrap nor scroll. Absent: nobody knows. */
  size?(): { readonly columns: number; readonly rows: number };
}

/** A result: text for people, or one JSON document when asked for. */
export function printResult(console: Console, json: boolean, value: unknown, text: string): void {
  console.stdout(json ? `${JSON.stringify(value, undefined, 2)}\n` : text.endsWith("\n") ? text : `${text}\n`);
}
