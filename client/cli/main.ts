#!/usr/bin/env node
/** Entry of the command pe-client. */
import { asPeError } from "../../common/errors.ts";
import { runCli } from "./program.ts";

/** What became of a stream that results or messages go to. */
let lost: NodeJS.ErrnoException | undefined;
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`| head`) is no failure, and the work goes on without it.
    if (error.code !== "EPIPE") lost ??= error;
  });

const status = await runCli(process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
});

// The streams tell their errors after the write.
process.exitCode = status;
process.on("exit", () => {
  if (lost === undefined) return;
  const { message, code, exit } = asPeError(lost, "PE_OUTPUT_UNWRITABLE", "Cannot write the result");
  process.stderr.write(`pe-client: ${message} [${code}]\n`);
  process.exitCode = exit;
});
