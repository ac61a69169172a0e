/**
 * What is said to a host by the system's own ssh, with the user's own configuration, keys and agent. Nobody is asked for a
 * password. A script goes through stdin: what it holds is seen by no other user of either machine.
 */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ERROR_CODES, PeError, type ErrorCode } from "../../../common/errors.ts";
import { errnoOf } from "../../../data/errno.ts";
import type { SshHost } from "./hosts.ts";

export interface SshOptions {
  /** Private key. */
  readonly identity?: string;
  /** As `ssh -o` takes them. */
  readonly options: readonly string[];
}

/** A host that takes longer to answer, or says nothing for so long, is down. */
const CONNECT_SECONDS = 10;
const SILENT_SECONDS = 5;
const SILENCES = 3;
/** ssh's own, also when a remote command ends so. */
const FAILED = 255;
/** What a host prints when somebody logs in comes before it. */
const BEGIN = "pe-cluster-begins";
const OUTPUT_BYTES_MAX = 1 << 20;

/**
 * Runs a script of the shell on a host.
 *
 * @returns What it prints, in lines.
 * @throws {PeError} `PE_ENGINE` when the host cannot be reached (`details.unreachable`), or the script ends with an error: with the
 * words of a program of ours, whose code the error then has.
 */
export async function runScript(host: SshHost, how: SshOptions, script: string): Promise<string[]> {
  const { status, stdout, stderr } = await speak(host, how, "exec sh -s", Readable.from([`echo ${BEGIN}\n${script}`]));
  const begin = stdout.indexOf(`${BEGIN}\n`);
  if (begin === -1) throw unreachable(host, stderr);
  if (status !== 0) throw failure(host, stderr, status);
  return stdout
    .slice(begin + BEGIN.length + 1)
    .split("\n")
    .filter((line) => line !== "");
}

/**
 * Runs a command of the shell on a host, whose stdin is the file.
 *
 * @throws {PeError} As `runScript`.
 */
export async function sendFile(host: SshHost, how: SshOptions, file: string, command: string): Promise<void> {
  const { status, stderr } = await speak(host, how, command, createReadStream(file));
  if (status === FAILED) throw unreachable(host, stderr);
  if (status !== 0) throw failure(host, stderr, status);
}

/** Arguments of ssh for a host; a command may follow. */
export function sshArguments(
  { target, port }: SshHost,
  { identity, options }: SshOptions,
  more: readonly string[] = [],
): string[] {
  const ours = [
    "BatchMode=yes",
    ...options,
    `ConnectTimeout=${CONNECT_SECONDS}`,
    `ServerAliveInterval=${SILENT_SECONDS}`,
    `ServerAliveCountMax=${SILENCES}`,
  ];
  return [
    "-T",
    ...ours.flatMap((option) => ["-o", option]),
    ...(identity === undefined ? [] : ["-i", identity]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...more,
    "--",
    target,
  ];
}

interface Spoken {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function speak(host: SshHost, how: SshOptions, command: string, input: Readable): Promise<Spoken> {
  const child = spawn("ssh", [...sshArguments(host, how), command], { stdio: ["pipe", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      if (said[stream].length < OUTPUT_BYTES_MAX) said[stream] += text;
    });
  const ended = new Promise<number>((done, fail) => {
    child.once("error", fail);
    child.once("close", (status) => done(status ?? FAILED));
  });
  // Whoever ends before it has read all says why by its status.
  const sent = pipeline(input, child.stdin).catch((error: unknown) => {
    if (!["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"].includes(errnoOf(error) ?? "")) throw error;
  });
  try {
    const [status] = await Promise.all([ended, sent]);
    return { status, ...said };
  } catch (error) {
    child.kill();
    throw asSshError(error);
  }
}

/** Of a process that was to be ssh. */
export function asSshError(error: unknown): unknown {
  if (errnoOf(error) !== "ENOENT") return error;
  const message = "Cannot run ssh: it is not installed here; install the ssh client of this system";
  return new PeError("PE_ENGINE", message, { cause: error });
}

function unreachable({ label }: SshHost, stderr: string): PeError {
  const said = lastLine(stderr) || "it says nothing";
  const advice = /host key verification failed|host identification has changed/i.test(stderr)
    ? "; this machine does not know its key: log in once with ssh"
    : /permission denied/i.test(stderr)
      ? "; it must let you in without a password: give it your key (ssh-copy-id), or name one with --identity"
      : "";
  const reason = `${said.replace(/\.$/, "")}${advice}`;
  return new PeError("PE_ENGINE", `Cannot reach ${label} by ssh: ${reason}`, {
    details: { unreachable: true, reason },
  });
}

/** The error that a program of ours told, or else whatever was said. */
function failure({ label }: SshHost, stderr: string, status: number): PeError {
  const [, text, code = ""] = [...stderr.matchAll(/^pe-\w+: (.+) \[(PE_[A-Z_]+)\]$/gm)].at(-1) ?? [];
  if (text !== undefined && Object.hasOwn(ERROR_CODES, code))
    return new PeError(code as ErrorCode, `${label}: ${text}`);
  return new PeError("PE_ENGINE", `Cannot go on at ${label}: ${lastLine(stderr) || `exit status ${status}`}`);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim() ?? "";
}
