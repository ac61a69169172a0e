/** pe-client doctor: whether an object store does what jobs need, and what is missing. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { openObjectStore } from "../../../data/objects/open.ts";
import { checkStore, type Finding } from "../../store-check.ts";

export const doctor: CommandSpec = {
  name: "doctor",
  about:
    "Check an object store or folder: credentials, listing, writing, clock, reading and checksums, conditional writes, " +
    "throughput. What is written is removed again.",
  argument: { name: "url", about: "s3://bucket/prefix, file:///folder, or a path" },
  options: [
    { flags: "--read-only", about: "write nothing: enough for a store of inputs" },
    { flags: "--endpoint-url URL", about: "of an S3 server that is not Amazon's (default: AWS_ENDPOINT_URL_S3)" },
    { flags: "--region NAME", about: "region of the bucket (default: AWS_REGION, or the profile's)" },
    { flags: "--profile NAME", about: "profile of the shared AWS configuration files (default: AWS_PROFILE)" },
    { flags: "--anonymous", about: "ask without credentials, as for a public bucket" },
    JSON_OPTION,
  ],
  examples: ["pe-client doctor s3://lasers/maps", "pe-client doctor s3://public-lasers --anonymous --read-only"],
  run: doctorCommand,
};

async function doctorCommand(given: Given, console: Console): Promise<number> {
  const [endpointUrl, region, profile] = [given.text("endpoint-url"), given.text("region"), given.text("profile")];
  const store = openObjectStore(given.needed("url"), {
    ...(endpointUrl !== undefined && { endpointUrl }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(given.flag("anonymous") && { anonymous: true }),
  });
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
