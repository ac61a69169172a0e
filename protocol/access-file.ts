/**
 * The access file: where a scheduler is, the tokens that open its doors, and the certificate to trust. The scheduler writes
 * it; workers and clients read it, or a copy of it, which may lack the token of the other role.
 */
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { PeError } from "../common/errors.ts";

export const PORT_DEFAULT = 8786;
const FILE_BYTES_MAX = 64 << 10;
const TOKEN = /^[\x21-\x7e]{16,256}$/;

export type AccessRole = "client" | "worker";

/** What an access file says. */
export interface Access {
  /** `ws://host:port`, or `wss://` with TLS. */
  readonly url: string;
  readonly clientToken?: string;
  readonly workerToken?: string;
  /** Certificate (PEM) that alone is trusted; the host name is not checked, so that a tunnel works. */
  readonly ca?: string;
}

/** What one role needs to connect. */
export interface AccessGrant {
  readonly url: string;
  readonly token: string | undefined;
  readonly ca: string | undefined;
}

export interface ReadAccessOptions {
  readonly role: AccessRole;
  /** By default what `PE_ACCESS_FILE` names, else the file that a scheduler on this machine wrote for its port. */
  readonly file?: string | undefined;
  /** Overrides the address in the file: `ws://host:8786`, or `host:8786`. */
  readonly url?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Folder for what this program keeps between runs: `$XDG_STATE_HOME/pe-cluster`, by default in `~/.local/state`. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { XDG_STATE_HOME: state = "" } = environment;
  return join(state === "" ? join(homedir(), ".local", "state") : state, "pe-cluster");
}

/** Where a scheduler writes its access file when nobody says where. */
export function defaultAccessFile(port: number = PORT_DEFAULT, environment?: NodeJS.ProcessEnv): string {
  return join(stateFolder(environment), `access-${port}.json`);
}

/**
 * How to connect to a scheduler.
 *
 * @throws {PeError} `PE_ACCESS` when there is no access file, it cannot be used, others may read it, or it lacks the token
 * of the role; `PE_PARAMETER` when the address cannot be read.
 * @example
 * const { url, token, ca } = await readAccess({ role: "worker", url: "ws://127.0.0.1:8786" });
 */
export async function readAccess(options: ReadAccessOptions): Promise<AccessGrant> {
  const { role, url, environment = process.env } = options;
  const given = url === undefined ? undefined : parseAddress(url);
  const path = fileOf(options, given?.port ?? PORT_DEFAULT);
  const access = await readAccessFile(path);
  if (access === undefined) throw missing(path, given?.text, environment);
  const token = role === "client" ? access.clientToken : access.workerToken;
  if (token === undefined)
    throw refusal(path, `it has no token for a ${role}; ask for another one, made by pe-scheduler access new`);
  const address = given === undefined ? access.url : addressIn(given, access, path);
  return { url: address, token, ca: access.ca };
}

/**
 * Reads and checks an access file; undefined when there is none.
 *
 * @throws {PeError} `PE_ACCESS`
 */
export async function readAccessFile(path: string): Promise<Access | undefined> {
  let text: string;
  try {
    const file = await open(path, "r");
    try {
      const { mode, size } = await file.stat();
      if (process.platform !== "win32" && (mode & 0o077) !== 0)
        throw refusal(path, `others may read it (mode ${(mode & 0o777).toString(8)}); run: chmod 600 "${path}"`);
      if (size > FILE_BYTES_MAX) throw refusal(path, `it has ${size} bytes, too many for an access file`);
      text = await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof PeError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw refusal(path, (error as Error).message, error);
  }
  return parseAccess(text, path);
}

/** @throws {PeError} `PE_ACCESS` when it is no text of an access file. `path` is what the error calls it. */
export function parseAccess(text: string, path: string): Access {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw refusal(path, "it is no JSON", error);
  }
  if (typeof found !== "object" || found === null) throw refusal(path, "it is no JSON object");
  const { url, clientToken, workerToken, ca } = found as Record<string, unknown>;
  if (typeof url !== "string" || !isAddress(url)) throw refusal(path, "its url is not of the form ws://host:port");
  for (const [name, token] of Object.entries({ clientToken, workerToken }))
    if (token !== undefined && (typeof token !== "string" || !TOKEN.test(token)))
      throw refusal(path, `its ${name} is not 16 to 256 printable characters`);
  if (ca !== undefined && (typeof ca !== "string" || !ca.includes("-----BEGIN CERTIFICATE-----")))
    throw refusal(path, "its ca is no certificate (PEM)");
  return {
    url,
    ...(typeof clientToken === "string" && { clientToken }),
    ...(typeof workerToken === "string" && { workerToken }),
    ...(typeof ca === "string" && { ca }),
  };
}

interface Address {
  readonly text: string;
  readonly port: number;
  /** Undefined when only `host:port` was given. */
  readonly scheme: string | undefined;
  readonly host: string;
}

/** @throws {PeError} `PE_PARAMETER` */
function parseAddress(text: string): Address {
  const scheme = /^(\w+):\/\//.exec(text)?.[1];
  const whole = scheme === undefined ? `ws://${text}` : text;
  if (!isAddress(whole))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use the address "${text}": expected one such as ws://host:${PORT_DEFAULT}`,
    );
  const { port, hostname } = new URL(whole);
  const portDefault = scheme === "wss" ? 443 : scheme === "ws" ? 80 : PORT_DEFAULT;
  return { text, port: port === "" ? portDefault : Number(port), scheme, host: hostname };
}

function isAddress(text: string): boolean {
  if (!/^wss?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname, username, password, search, hash } = new URL(text);
  return hostname !== "" && pathname.replace(/^\/$/, "") + username + password + search + hash === "";
}

/** The address that was given, with what it leaves open taken from the file. */
function addressIn({ scheme, host, port, text }: Address, { url, ca }: Access, path: string): string {
  const isSecure = ca !== undefined || url.startsWith("wss:");
  if (scheme === "ws" && isSecure && !isLoopback(host))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use ${text}: the token of "${path}" is for TLS and would travel in the clear; write wss://${host}:${port}`,
    );
  return `${scheme ?? (isSecure ? "wss" : "ws")}://${host}:${port}`;
}

/** Whether a host, as in a URL, is this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

function fileOf({ file, environment = process.env }: ReadAccessOptions, port: number): string {
  const { PE_ACCESS_FILE: named = "" } = environment;
  return file ?? (named === "" ? defaultAccessFile(port, environment) : named);
}

function missing(path: string, url: string | undefined, { PE_ACCESS_FILE: named = "" }: NodeJS.ProcessEnv): PeError {
  const which = named === path ? ", which PE_ACCESS_FILE names" : "";
  const where = url === undefined ? "" : ` for ${url}`;
  return refusal(
    path,
    `there is no such file${which}; start pe-scheduler on this machine, or copy the access file of the scheduler${where} ` +
      "here and name it with --access-file",
  );
}

function refusal(path: string, reason: string, cause?: unknown): PeError {
  return new PeError("PE_ACCESS", `Cannot use the access file "${path}": ${reason}`, { cause, details: { path } });
}
