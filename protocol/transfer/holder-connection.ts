/**
 * The needer's end of a connection to a door: one value at a time, read by the system straight into the memory in which it
 * stays.
 */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectSecure, type TLSSocket } from "node:tls";
import { PeError } from "../../common/errors.ts";
import { fingerprintOf } from "../certificates.ts";
import type { ServingAt, ValueName } from "../held-values.ts";
import { PieceReader } from "./pieces.ts";
import { ANSWER_BYTES, decodeAnswer, encodeRequest } from "./request.ts";
import { allocateValue } from "./value-memory.ts";

export interface ConnectionLimits {
  readonly connectMs: number;
  /** While a value is awaited: without a byte for so long the holder is taken for dead. */
  readonly silenceMs: number;
}

/** The door is not worth a try for a while: no answer, refused, somebody else's certificate, or silence in the middle of a value. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** What is asked of a holder. */
export interface Asked {
  readonly name: ValueName;
  /** That it must have. */
  readonly bytes: number;
  readonly token: string;
}

interface Answering {
  readonly bytes: number;
  readonly resolve: (found: SharedArrayBuffer | "gone") => void;
  readonly reject: (error: Error) => void;
  target?: SharedArrayBuffer;
  reader?: PieceReader;
}

export class HolderConnection {
  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  /** Of the next answer. */
  readonly #answer = Buffer.alloc(ANSWER_BYTES);
  #answerBytes = 0;
  #answering: Answering | undefined;

  /** @throws {Unreachable} */
  static async open(at: ServingAt, limits: ConnectionLimits): Promise<HolderConnection> {
    const connection = new HolderConnection(at, limits);
    await connection.#opened(at);
    return connection;
  }

  private constructor(at: ServingAt, limits: ConnectionLimits) {
    this.#limits = limits;
    const to = {
      ...hostAndPort(at.address),
      noDelay: true,
      keepAlive: true,
      // Bytes go where they belong at once: into the answer's head, then into the value.
      onread: {
        buffer: () => this.#room(),
        callback: (count: number) => this.#took(count),
      },
    };
    this.#socket =
      at.certificate === undefined
        ? connectPlain(to)
        : // Trusted by its hash alone, before anything is said.
          connectSecure({ ...to, rejectUnauthorized: false });
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("end", () => this.#end(new Error("it ended the connection")));
    this.#socket.on("close", () => this.#end(new Error("the connection was closed")));
    this.#socket.on("timeout", () => this.destroy(new Unreachable(`nothing was heard for ${limits.silenceMs} ms`)));
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && this.#socket.readable;
  }

  /** Nothing may come now; a connection on which something comes is closed. */
  rest(): void {
    this.#socket.setTimeout(0);
    this.#socket.unref();
  }

  destroy(reason: Error): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  /**
   * @returns Memory with the value, or "gone" when the holder does not have it.
   * @throws {DamagedPiece} and other errors; the connection is then closed.
   */
  async fetch({ name, bytes, token }: Asked, signal?: AbortSignal): Promise<SharedArrayBuffer | "gone"> {
    const request = encodeRequest(name, token);
    const abort = (): void => this.destroy(signal?.reason as Error);
    signal?.addEventListener("abort", abort);
    try {
      signal?.throwIfAborted();
      return await new Promise((resolve, reject) => {
        if (!this.isOpen) return reject(new Error("the connection was closed"));
        this.#answering = { bytes, resolve, reject };
        this.#socket.ref();
        this.#socket.setTimeout(this.#limits.silenceMs);
        this.#socket.write(request);
      });
    } finally {
      this.#answering = undefined;
      signal?.removeEventListener("abort", abort);
    }
  }

  async #opened({ address, certificate }: ServingAt): Promise<void> {
    const { connectMs } = this.#limits;
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string): void => {
        reject(new Unreachable(`Cannot connect to ${address}: ${reason}`));
        this.#socket.destroy();
      };
      const timer = setTimeout(() => fail(`no answer within ${connectMs} ms`), connectMs);
      this.#socket.once("error", ({ message }) => fail(message));
      this.#socket.once("close", () => {
        clearTimeout(timer);
        fail("it was closed");
      });
      this.#socket.once(certificate === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        if (certificate !== undefined && shownBy(this.#socket as TLSSocket) !== certificate)
          return fail("its certificate is not the one that the scheduler names");
        resolve();
      });
    });
  }

  #room(): Uint8Array {
    const reader = this.#answering?.reader;
    if (reader === undefined || reader.isDone) return this.#answer.subarray(this.#answerBytes);
    return reader.room();
  }

  /** @returns Whether to go on reading. */
  #took(count: number): boolean {
    const { reader } = this.#answering ?? {};
    try {
      if (reader !== undefined) {
        reader.took(count);
        if (reader.isDone) this.#succeed(this.#answering!.target!);
      } else this.#tookAnswer(count);
    } catch (error) {
      this.destroy(error as Error);
    }
    return true;
  }

  #tookAnswer(count: number): void {
    const answering = this.#answering;
    if (answering === undefined) throw new Error("it said something unasked");
    this.#answerBytes += count;
    if (this.#answerBytes < ANSWER_BYTES) return;
    this.#answerBytes = 0;
    const { status, bytes } = decodeAnswer(this.#answer);
    if (status === "refused") throw new PeError("PE_ACCESS", "the token is refused");
    if (status === "busy") throw new Error("it has all the connections that it takes");
    if (status === "gone") return this.#succeed("gone");
    if (bytes !== answering.bytes) throw new Error(`it has ${bytes} bytes of it, not ${answering.bytes}`);
    answering.target = allocateValue(bytes);
    answering.reader = new PieceReader(answering.target);
  }

  #succeed(found: SharedArrayBuffer | "gone"): void {
    const { resolve } = this.#answering!;
    // From here on nothing of the value is referred to.
    this.#answering = undefined;
    this.rest();
    resolve(found);
  }

  #end(error: Error): void {
    this.#answering?.reject(error);
    this.#answering = undefined;
  }
}

function shownBy(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : fingerprintOf(certificate);
}

/** @throws {Unreachable} when it is none. */
function hostAndPort(address: string): { host: string; port: number } {
  const found = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(address);
  if (found === null || Number(found[2]) > 65_535) throw new Unreachable(`Cannot connect to "${address}": no address`);
  return { host: found[1]!, port: Number(found[2]) };
}
