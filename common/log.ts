/** What processes that run for long tell people, line by line. A log is text; what restores a state is the journal. */

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  /** One sentence; it holds no token and nothing of a task's parameters or result. */
  readonly text: string;
}

export interface LogOptions {
  /** One JSON object a line, for machines. */
  readonly json?: boolean;
  /** Wall clock of the lines; for tests. */
  readonly now?: () => Date;
}

/** Longer texts are cut: an error may quote what somebody else sent. */
export const LOG_TEXT_MAX = 2000;

/**
 * Writes lines such as `2025-03-01T12:00:00.000Z warn the disk is full` to `write`, one call a line.
 *
 * @example
 * const log = createLog((line) => process.stderr.write(line));
 * log({ level: "info", text: "listening on ws://127.0.0.1:8786" });
 */
export function createLog(write: (line: string) => void, options: LogOptions = {}): (line: LogLine) => void {
  const { json = false, now = () => new Date() } = options;
  return ({ level, text }) => {
    const time = now().toISOString();
    const shown = printable(text);
    write(json ? `${JSON.stringify({ time, level, text: shown })}\n` : `${time} ${level.padEnd(5)} ${shown}\n`);
  };
}

/** One line, without what a terminal would obey. */
function printable(text: string): string {
  const line = text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    .replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "\uFFFD");
  return line.length > LOG_TEXT_MAX ? `${line.slice(0, LOG_TEXT_MAX - 1)}…` : line;
}
