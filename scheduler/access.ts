/** Tokens and certificates as files: made once, kept with the rights of their owner alone. */
import { randomBytes } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { PeError } from "../common/errors.ts";
import { replaceDurably } from "../data/durable.ts";
import { errnoOf } from "../data/errno.ts";
import { makeFolders } from "../data/folders.ts";
import { readAccessFile, type Access } from "../protocol/access-file.ts";
import { makeCertificates } from "../protocol/certificates.ts";

/** Certificate and key of a server, PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

/** 256 bits that nobody guesses. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** Where certificate and key lie beside an access file. */
export function tlsFiles(accessFile: string): { cert: string; key: string } {
  const base = accessFile.replace(/\.json$/, "");
  return { cert: `${base}.cert.pem`, key: `${base}.key.pem` };
}

/**
 * The access file of a scheduler without an authority of its own, made when it is not there. The address in it follows the
 * scheduler; tokens stay.
 *
 * @throws {PeError} `PE_ACCESS`, `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`
 */
export async function keepAccess(path: string, url: string): Promise<Required<Omit<Access, "ca">>> {
  const known = await readAccessFile(path);
  const { clientToken = newToken(), workerToken = newToken() } = known ?? {};
  const access = { url, clientToken, workerToken };
  if (JSON.stringify(known) !== JSON.stringify(access)) await writeAccess(path, access);
  return access;
}

export interface NewAccess {
  /** Of the scheduler, `wss://host:port`. */
  readonly url: string;
  /** Names and addresses that its certificate is for. */
  readonly hosts: readonly string[];
  /** Access file with everything. */
  readonly file: string;
  /** Another one, without the client's token. */
  readonly workerFile?: string;
}

/**
 * Makes an access file with new tokens, and certificate and key beside it.
 *
 * @returns The files that were written.
 * @throws {PeError} `PE_OUTPUT_CONFLICT` when one of them is there; `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`
 */
export async function makeAccess({ url, hosts, file, workerFile }: NewAccess): Promise<readonly string[]> {
  const paths = { ...tlsFiles(file), file, workerFile };
  const written = [paths.key, paths.cert, ...(workerFile === undefined ? [] : [workerFile]), file];
  for (const path of written)
    if (await isThere(path))
      throw new PeError(
        "PE_OUTPUT_CONFLICT",
        `Cannot make new access: "${path}" is there, and who uses its tokens would be locked out; remove it first`,
      );
  const { ca, cert, key } = makeCertificates([...new Set([...hosts, hostname(), "localhost", "127.0.0.1", "::1"])]);
  const access = { url, clientToken: newToken(), workerToken: newToken(), ca };
  await writePrivately(paths.key, key);
  await writePrivately(paths.cert, cert);
  if (workerFile !== undefined) await writeAccess(workerFile, { url, workerToken: access.workerToken, ca });
  // Last: whoever has it has all.
  await writeAccess(file, access);
  return written;
}

/**
 * Certificate and key of a scheduler whose access file is for TLS.
 *
 * @throws {PeError} `PE_ACCESS` when they cannot be read.
 */
export async function readTls({ cert, key }: { cert: string; key: string }): Promise<Tls> {
  return { cert: await readPem(cert, "CERTIFICATE"), key: await readPem(key, "PRIVATE KEY") };
}

async function readPem(path: string, what: string): Promise<string> {
  const found = await readFile(path, "utf8").catch((error: unknown) => {
    const reason = errnoOf(error) === "ENOENT" ? "there is no such file" : String(errnoOf(error));
    throw new PeError("PE_ACCESS", `Cannot serve TLS with "${path}": ${reason}; see pe-scheduler access new --help`, {
      cause: error,
    });
  });
  if (!found.includes(`${what}-----`))
    throw new PeError("PE_ACCESS", `Cannot serve TLS with "${path}": it holds no ${what.toLowerCase()} (PEM)`);
  return found;
}

/** Writes an access file, whole or not at all. @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL` */
export async function writeAccess(path: string, access: Access): Promise<void> {
  await writePrivately(path, `${JSON.stringify(access, undefined, 2)}\n`);
}

/** For the eyes of its owner, from the first moment. */
async function writePrivately(path: string, text: string): Promise<void> {
  await makeFolders(dirname(path), 0o700);
  await replaceDurably(path, async (temporary) => {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path, "r")).close();
    return true;
  } catch (error) {
    return errnoOf(error) !== "ENOENT";
  }
}
