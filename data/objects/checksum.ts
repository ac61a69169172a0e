/** Checksums of whole objects, as stores keep them. */
import { createHash, hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { startCrc32c, startCrc64nvme, type RunningCrc } from "./crc.ts";

export interface Checksum {
  readonly algorithm: "sha256" | "sha1" | "md5" | "crc64nvme" | "crc32c" | "crc32";
  /** Lower-case hexadecimal. */
  readonly hex: string;
}

/** Of `bytes`, lower-case hexadecimal. */
export function computeChecksum(algorithm: Checksum["algorithm"], bytes: Uint8Array): string {
  if (!algorithm.startsWith("crc")) return hash(algorithm, bytes, "hex");
  const running = startChecksum(algorithm);
  running.update(bytes);
  return running.hex();
}

/** Of bytes that come one piece after the other. */
export function startChecksum(algorithm: Checksum["algorithm"]): RunningCrc {
  if (algorithm === "crc64nvme") return startCrc64nvme();
  if (algorithm === "crc32c") return startCrc32c();
  if (algorithm === "crc32") return startCrc32();
  const digest = createHash(algorithm);
  return { update: (bytes) => void digest.update(bytes), hex: () => digest.digest("hex") };
}

function startCrc32(): RunningCrc {
  let value = 0;
  return {
    update: (bytes) => void (value = crc32(bytes, value)),
    hex: () => value.toString(16).padStart(8, "0"),
  };
}

export function fits(checksum: Checksum, bytes: Uint8Array): boolean {
  return computeChecksum(checksum.algorithm, bytes) === checksum.hex;
}

/** Sizes of the pieces that upload programs cut objects into, in MiB; the first three are by far the commonest. */
const PIECE_MIB = [8, 5, 16, 6, 10, 15, 20, 25, 32, 50, 64, 100, 128, 256, 512];

/**
 * Whether the ETag of an object that was uploaded in pieces, `<MD5 of the pieces' MD5s>-<count>`, is the one of `bytes`
 * for any usual size of pieces, or for `pieceBytes` where the store tells it.
 */
export function fitsPieces(etag: string, bytes: Uint8Array, pieceBytes?: number): boolean {
  return startPieces(etag, bytes.byteLength, pieceBytes).some((running) => {
    running.update(bytes);
    return running.fits();
  });
}

/** One for each size of pieces that the ETag of an object of `byteLength` bytes may be of; fed with all its bytes. */
export function startPieces(etag: string, byteLength: number, pieceBytes?: number): RunningPieces[] {
  const parsed = /^([0-9a-f]{32})-(\d{1,5})$/.exec(etag);
  if (parsed === null) return [];
  const count = Number(parsed[2]);
  const sizes = pieceBytes === undefined ? PIECE_MIB.map((mib) => mib * 2 ** 20) : [pieceBytes];
  // One piece may have any size up to the usual one.
  if (count === 1) sizes.unshift(byteLength);
  return sizes
    .map((size) => Math.max(1, size))
    .filter((size) => Math.max(1, Math.ceil(byteLength / size)) === count)
    .map((size) => startPiecesOf(size, parsed[1]!));
}

export interface RunningPieces {
  update(bytes: Uint8Array): void;
  fits(): boolean;
}

function startPiecesOf(size: number, wanted: string): RunningPieces {
  const digests = createHash("md5");
  let piece = createHash("md5");
  let room = size;
  return {
    update(bytes) {
      for (let start = 0; start < bytes.byteLength;) {
        if (room === 0) {
          digests.update(piece.digest());
          piece = createHash("md5");
          room = size;
        }
        const taken = bytes.subarray(start, start + room);
        piece.update(taken);
        room -= taken.byteLength;
        start += taken.byteLength;
      }
    },
    fits: () => digests.update(piece.digest()).digest("hex") === wanted,
  };
}
