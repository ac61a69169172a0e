/** pe-client doctor: whether an object store does what jobs need, and what is missing. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { openObjectStore } from "../../../data/objects/open.ts";
import { checkStore, type Finding } from "../../store-check.ts";
import { withS3Options } from "../s3-options.ts";

export const doctor: CommandSpec = withS3Options({
  name: "doctor",
  about:
    "Check an object store or folder: credentials, listing, writing, clock, reading and checksums, conditional writes, " +
    "throughput. What is written is removed again.",
  argument: { name: "url", about: "s3://bucket/prefix, file:///folder, or a path" },
  options: [{ flags: "--read-only", about: "write nothing: enough for a store of inputs" }, JSON_OPTION],
  examples: ["pe-client doctor s3://lasers/maps", "pe-client doctor s3://public-lasers --anonymous --read-only"],
  run: doctorCommand,
});

async function doctorCommand(given: Given, console: Console): Promise<number> {
  const store = openObjectStore(given.needed("url"));
  const json = given.flag("json");
  const findings: Finding[] = [];
  try {
    for await (const finding of checkStore(store, { readOnly: given.flag("read-only") })) {
      findings.push(finding);
      if (!json) console.stdout(lineOf(finding));
    }
  } finally {
    store.close();
  }
  if (json) printResult(console, json, { url: store.url, findings: findings.map(recordOf) }, "");
  return statusOf(findings);
}

function lineOf({ what, status, text }: Finding): string {
  return `${status.padEnd(4)}  ${what.padEnd(18)}  ${text}\n`;
}

function recordOf({ what, status, text, error }: Finding): Record<string, unknown> {
  return { what, status, text, ...(error !== undefined && { code: error.code }) };
}

/** Of the first thing that is bad. */
function statusOf(findings: readonly Finding[]): number {
  const bad = findings.find(({ status }) => status === "bad");
  if (bad === undefined) return EXIT.ok;
  return bad.error instanceof PeError ? bad.error.exit : EXIT.dataError;
}
