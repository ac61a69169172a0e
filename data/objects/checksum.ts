/** Checksums of whole objects, as stores keep them. */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc32c, crc64nvme } from "./crc.ts";

export interface Checksum {
  readonly algorithm: "sha256" | "sha1" | "md5" | "crc64nvme" | "crc32c" | "crc32";
  /** Lower-case hexadecimal. */
  readonly hex: string;
}

/** Of `bytes`, lower-case hexadecimal. */
export function computeChecksum(algorithm: Checksum["algorithm"], bytes: Uint8Array): string {
  if (algorithm === "crc64nvme") return crc64nvme(bytes);
  if (algorithm === "crc32c") return crc32c(bytes);
  if (algorithm === "crc32") return crc32(bytes).toString(16).padStart(8, "0");
  return hash(algorithm, bytes, "hex");
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
  const parsed = /^([0-9a-f]{32})-(\d{1,5})$/.exec(etag);
  if (parsed === null) return false;
  const count = Number(parsed[2]);
  const sizes = pieceBytes === undefined ? PIECE_MIB.map((mib) => mib * 2 ** 20) : [pieceBytes];
  // One piece may have any size up to the usual one.
  if (count === 1) sizes.unshift(bytes.byteLength);
  return sizes.some((size) => countOf(bytes, size) === count && md5OfPieces(bytes, size) === parsed[1]);
}

function countOf(bytes: Uint8Array, size: number): number {
  return Math.max(1, Math.ceil(bytes.byteLength / Math.max(1, size)));
}

function md5OfPieces(bytes: Uint8Array, size: number): string {
  const digests: Buffer[] = [];
  for (let start = 0; start === 0 || start < bytes.byteLength; start += Math.max(1, size))
    digests.push(hash("md5", bytes.subarray(start, start + size), "buffer"));
  return hash("md5", Buffer.concat(digests), "hex");
}
