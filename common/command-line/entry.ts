/** A program as a process: its streams, and its exit status. What every file called main.ts does. */
import { asPeError } from "../errors.ts";
import type { Console } from "./console.ts";
import { runProgram, type ProgramSpec } from "./program.ts";

/** Runs the command line of this process; its exit status is that of the command, unless the result could not be written. */
export async function enter(program: ProgramSpec): Promise<void> {
  const lost = watchStreams();
  process.exitCode = await runProgram(program, process.argv.slice(2), processConsole());
  // The streams tell their errors after the write.
  process.on("exit", () => {
    const error = lost();
    if (error === undefined) return;
    const { message, code, exit } = asPeError(error, "PE_OUTPUT_UNWRITABLE", "Cannot write the result");
    process.stderr.write(`${program.name}: ${message} [${code}]\n`);
    process.exitCode = exit;
  });
}

/** What became of a stream that results or messages go to. */
function watchStreams(): () => Error | undefined {
  let lost: Error | undefined;
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough (`| head`) is no failure, and the work goes on without it.
      if (error.code !== "EPIPE") lost ??= error;
    });
  return () => lost;
}

function processConsole(): Console {
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
    // A terminal that does not know its size says 0.
    size: () => ({ columns: process.stderr.columns || Infinity, rows: process.stderr.rows || Infinity }),
  };
}
