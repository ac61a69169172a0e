/** Ctrl-C: once stops handing out work and keeps what is finished, twice ends at once. */
import { EXIT } from "../errors.ts";
import type { Console } from "./console.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node's own handling. */
  release(): void;
}

/** @param note What the first signal says that it does. */
export function stopOnSignals(
  console: Console,
  note = "stopping: tasks under way finish and are kept; again to stop at once",
): Interrupt {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    console.stderr(`\n${note}\n`);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
