/** pe-scheduler access new: tokens and certificates for a scheduler that other machines reach. */
import { JSON_OPTION, type CommandSpec, type Given } from "../../common/command-line/command.ts";
import { printResult, type Console } from "../../common/command-line/console.ts";
import { parsePort } from "../../common/command-line/port.ts";
import { EXIT, PeError } from "../../common/errors.ts";
import { PORT_DEFAULT } from "../../protocol/access-file.ts";
import { makeAccess, tlsFiles } from "../access.ts";

export const accessNew: CommandSpec = {
  name: "access new",
  about:
    "Make the access file of a scheduler that other machines reach: two tokens and a certificate authority, and beside it " +
    "the scheduler's certificate and key.",
  options: [
    {
      flags: "--host NAMES",
      about: "names or addresses under which it is reached, the first in the file",
      required: true,
    },
    { flags: "--port N", about: "its port", default: String(PORT_DEFAULT) },
    { flags: "--out FILE", about: "access file to make, for the scheduler and for clients", required: true },
    { flags: "--worker-out FILE", about: "another one for workers, which cannot submit with it" },
    JSON_OPTION,
  ],
  examples: ["pe-scheduler access new --host lab.example.org --out access.json --worker-out worker-access.json"],
  run: runCommand,
};

async function runCommand(given: Given, console: Console): Promise<number> {
  const hosts = given.needed("host").split(",").map(checkedHost);
  const port = parsePort(given.needed("port"));
  const first = hosts[0]!;
  const url = `wss://${first.includes(":") ? `[${first}]` : first}:${port}`;
  const file = given.needed("out");
  const workerFile = given.text("worker-out");
  const written = await makeAccess({ url, hosts, file, ...(workerFile !== undefined && { workerFile }) });
  const { cert, key } = tlsFiles(file);
  const lines = [
    `${file} for the scheduler and for clients: whoever has it may submit. ${cert} and ${key} stay with the scheduler.`,
    ...(workerFile === undefined ? [] : [`${workerFile} for workers.`]),
    "start it with:",
    `  pe-scheduler --host 0.0.0.0 --port ${port} --access-file ${file}`,
    "and, with a copy of the file, on other machines:",
    `  pe-worker ${url} --access-file ${workerFile ?? file}`,
    `  pe-client status --scheduler ${url} --access-file ${file}`,
  ];
  printResult(console, given.flag("json"), { url, written }, lines.join("\n"));
  return EXIT.ok;
}

function checkedHost(text: string): string {
  const host = text.trim().replace(/^\[(.*)\]$/, "$1");
  if (!/^[a-z0-9._-]{1,253}$/i.test(host) && !/^[0-9a-f:.]{2,45}$/i.test(host))
    throw new PeError("PE_PARAMETER", `Cannot use the host "${text}": expected a name or an address`);
  return host;
}
