/**
 * One file of this machine, or one buffer, as the only file in the HDF5 library's own file system: the library works
 * inside WebAssembly and sees nothing of the machine otherwise.
 */
import { errnoOf } from "../errno.ts";
import { assert } from "../../common/assert.ts";
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

/** Bytes that the library may read, and write where the file was opened for it. */
export interface HostFile {
  size(): number;
  /** Fills `into` from `position`; returns the number of bytes read, 0 at the end. */
  read(into: Uint8Array, position: number): number;
  write(from: Uint8Array, position: number): number;
  truncate(bytes: number): void;
  close(): void;
  /** The first error of the machine's file system: the library reports only that something failed. */
  readonly failure: { error?: unknown };
}

export function contentFile(content: Uint8Array): HostFile {
  let bytes = content;
  return {
    size: () => bytes.length,
    read(into, position) {
      const piece = bytes.subarray(position, position + into.length);
      into.set(piece);
      return piece.length;
    },
    write: refuse,
    truncate: refuse,
    // The library keeps its own handle of a file that failed: let go of the bytes at least.
    close: () => void (bytes = new Uint8Array(0)),
    failure: {},
  };
}

function refuse(): never {
  throw new Error("the content is read-only");
}

/** @throws errors of the file system. */
export function pathFile(path: string, mode: "r" | "wx+"): HostFile {
  const descriptor = openSync(path, mode);
  const failure: HostFile["failure"] = {};
  let open = true;
  function remember<Result>(act: () => Result): Result {
    try {
      // After an error the library may keep its handle; the number of ours may be another file's by then.
      if (!open) throw new Error("the file is closed");
      return act();
    } catch (error) {
      failure.error ??= error;
      throw error;
    }
  }
  return {
    size: () => remember(() => fstatSync(descriptor).size),
    read: (into, position) => remember(() => readSync(descriptor, into, 0, into.length, position)),
    write: (from, position) => remember(() => writeSync(descriptor, from, 0, from.length, position)),
    truncate: (bytes) => remember(() => ftruncateSync(descriptor, bytes)),
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
    failure,
  };
}

/** The parts of the library's file system that are used here. */
export interface InnerFileSystem {
  createFile(parent: string, name: string, properties: object, canRead: boolean, canWrite: boolean): InnerNode;
  unlink(path: string): void;
  readonly streams: (InnerStream | null | undefined)[];
  readonly ErrnoError: new (errno: number) => Error;
}

interface InnerNode {
  node_ops: {
    getattr: (node: InnerNode) => { size: number };
    setattr: (node: InnerNode, attributes: { size?: number }) => void;
  };
  stream_ops: Record<string, unknown>;
}

interface InnerStream {
  position: number;
  stream_ops: Record<string, unknown>;
}

/** WASI's numbers of EIO and ENOSPC. */
const EIO = 29;
const ENOSPC = 51;

/** What the library has must be what is used here. */
export function assertFileSystem(system: unknown): asserts system is InnerFileSystem {
  const has = (name: string): boolean => typeof system === "object" && system !== null && name in system;
  assert(["createFile", "unlink", "streams", "ErrnoError"].every(has), "a file system of another library");
}

/** Shows `host` to the library as `/name`. */
export function mountFile(system: InnerFileSystem, name: string, host: HostFile): void {
  const node = system.createFile("/", name, {}, true, true);
  const original = node.node_ops;
  function guard<Result>(act: () => Result): Result {
    try {
      return act();
    } catch (error) {
      throw new system.ErrnoError(errnoOf(error) === "ENOSPC" ? ENOSPC : EIO);
    }
  }
  node.node_ops = {
    ...original,
    getattr: (self) => ({ ...original.getattr(self), size: guard(() => host.size()) }),
    setattr: (_self, { size }) => {
      if (size !== undefined) guard(() => host.truncate(size));
    },
  };
  node.stream_ops = {
    ...node.stream_ops,
    read: (_stream: InnerStream, memory: Int8Array, offset: number, length: number, position: number) =>
      guard(() => host.read(new Uint8Array(memory.buffer, memory.byteOffset + offset, length), position)),
    write: (_stream: InnerStream, memory: Int8Array, offset: number, length: number, position: number) =>
      guard(() => host.write(new Uint8Array(memory.buffer, memory.byteOffset + offset, length), position)),
    llseek: (stream: InnerStream, offset: number, whence: number) =>
      guard(() => offset + (whence === 1 ? stream.position : whence === 2 ? host.size() : 0)),
  };
}

/** The library's standard error stream, number 2: what it writes there goes to `take` instead of the console. */
export function takeErrorOutput(system: InnerFileSystem, take: (text: string) => void): void {
  const stream = system.streams[2];
  assert(stream !== null && stream !== undefined, "a library without standard error");
  stream.stream_ops = {
    ...stream.stream_ops,
    write: (_stream: InnerStream, memory: Int8Array, offset: number, length: number) => {
      take(Buffer.from(memory.buffer, memory.byteOffset + offset, length).toString("utf8"));
      return length;
    },
  };
}
