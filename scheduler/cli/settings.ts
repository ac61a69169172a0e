/** What a scheduler is started with: from the command line, and for the rest from what is on this machine. */
import { join, resolve } from "node:path";
import type { Given } from "../../common/command-line/command.ts";
import { parsePort } from "../../common/command-line/port.ts";
import { PeError } from "../../common/errors.ts";
import { defaultAccessFile, isLoopback, readAccessFile, stateFolder, type Access } from "../../protocol/access-file.ts";
import { keepAccess, newToken, readTls, tlsFiles, type Tls } from "../access.ts";
import type { ServeOptions, Tokens } from "../server.ts";

export interface Settings extends Pick<ServeOptions, "host" | "port" | "tls" | "tokens" | "partsFolder" | "hosts"> {
  readonly journal?: string;
  readonly accessFile: string;
  /** Whether workers and clients on this machine find it without being told. */
  readonly isDefaultAccess: boolean;
  /** How others reach the scheduler, where the access file knows better than the scheduler. */
  readonly address?: string;
  /** Said at each start. */
  readonly warnings: readonly string[];
}

/** @throws {PeError} `PE_PARAMETER` when options do not go together or are not safe, `PE_ACCESS` */
export async function settingsOf(given: Given, environment: NodeJS.ProcessEnv = process.env): Promise<Settings> {
  const host = given.needed("host");
  const port = parsePort(given.needed("port"));
  const journal = journalOf(given, port, environment);
  const named = given.text("access-file") ?? (environment.PE_ACCESS_FILE || undefined);
  const accessFile = resolve(named ?? defaultAccessFile(port, environment));
  const access = await readAccessFile(accessFile);
  const tls = await tlsOf(given, accessFile, access);
  const isOpen = tls === undefined && !isLoopback(host);
  if (isOpen && !given.flag("insecure")) throw openToAll(host);
  const partsFolder =
    given.text("parts") ??
    (journal === undefined ? join(stateFolder(environment), `parts-${port}`) : join(journal, "parts"));
  return {
    host,
    port,
    tls,
    partsFolder: resolve(partsFolder),
    accessFile,
    isDefaultAccess: named === undefined && port !== 0,
    tokens: tokensOf(accessFile, access, tls),
    warnings: isOpen
      ? [`--insecure: everybody on the way to ${host}:${port} can read tokens and data, and use them`]
      : [],
    ...(journal !== undefined && { journal }),
    ...(access?.ca !== undefined && { address: access.url, hosts: [new URL(access.url).hostname] }),
  };
}

function journalOf(given: Given, port: number, environment: NodeJS.ProcessEnv): string | undefined {
  const folder = given.text("journal");
  if (given.flag("in-memory")) {
    if (folder === undefined) return undefined;
    throw new PeError("PE_PARAMETER", "Cannot keep a journal in memory: give --journal or --in-memory, not both");
  }
  if (folder === "") throw new PeError("PE_PARAMETER", "Cannot keep a journal in a folder without a name");
  if (folder !== undefined) return resolve(folder);
  if (port === 0)
    throw new PeError(
      "PE_PARAMETER",
      "Cannot find the journal of --port 0: name one with --journal, or give --in-memory",
    );
  return join(stateFolder(environment), `journal-${port}`);
}

async function tlsOf(given: Given, accessFile: string, access: Access | undefined): Promise<Tls | undefined> {
  const [cert, key] = [given.text("tls-cert"), given.text("tls-key")];
  if ((cert === undefined) !== (key === undefined))
    throw new PeError("PE_PARAMETER", "Cannot serve TLS with half of it: give --tls-cert and --tls-key");
  if (cert !== undefined && key !== undefined) return await readTls({ cert, key });
  return access?.ca === undefined ? undefined : await readTls(tlsFiles(accessFile));
}

/** Those of the access file; it is made, or its address brought up to date, unless it was made for other machines. */
function tokensOf(accessFile: string, access: Access | undefined, tls: Tls | undefined): ServeOptions["tokens"] {
  return async (url): Promise<Tokens> => {
    if (tls === undefined || access?.ca === undefined) return await keepAccess(accessFile, url);
    // Of a file with one token, the other door stays shut.
    const { clientToken = newToken(), workerToken = newToken() } = access;
    return { clientToken, workerToken };
  };
}

function openToAll(host: string): PeError {
  return new PeError(
    "PE_PARAMETER",
    `Cannot listen on ${host} without TLS: tokens and data would travel in the clear. Make certificates and tokens with ` +
      "pe-scheduler access new --host NAME --out FILE, then start with --access-file FILE; or --insecure on a network of your own",
  );
}
