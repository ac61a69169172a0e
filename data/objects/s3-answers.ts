/** What the heads of answers say of an object. */
import type { Checksum } from "./checksum.ts";
import { isDirectoryBucket } from "./s3-bucket.ts";
import type { Known, Opened } from "./reading.ts";

/** SHA-256 of the object, hexadecimal: kept with everything that this program writes. */
export const SHA256_KEY = "pe-sha256";
/** Name of one write, to know one's own again when an answer was lost. */
export const WRITE_KEY = "pe-write";

/** The parts of an answer to GET, HEAD and PUT that are read here. */
export interface Told {
  readonly ETag?: string | undefined;
  readonly Metadata?: Readonly<Record<string, string>> | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
  readonly ChecksumType?: string | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ChecksumSHA1?: string | undefined;
  readonly ChecksumCRC64NVME?: string | undefined;
  readonly ChecksumCRC32C?: string | undefined;
  readonly ChecksumCRC32?: string | undefined;
}

/** Without quotes; undefined where there is none. */
export function etagOf(text: string | undefined): string | undefined {
  const bare = text?.trim().replace(/^W\//, "").replaceAll('"', "");
  return bare === "" ? undefined : bare;
}

/** Whether an ETag of 32 hexadecimal digits is the MD5 of the bytes: not of encrypted ones, nor in directory buckets. */
export function isEtagMd5(bucket: string, told: Told): boolean {
  const isOpaque = /kms/i.test(told.ServerSideEncryption ?? "") || told.SSECustomerAlgorithm !== undefined;
  return !isOpaque && !isDirectoryBucket(bucket);
}

/** What a store keeps of a whole object; for answers that hold a range, what they say of it is passed over. */
export function knownOf(bucket: string, told: Told, isRange = false): Known {
  const version = etagOf(told.ETag);
  const isMd5 = isEtagMd5(bucket, told);
  return {
    version,
    checksum: ownChecksum(told) ?? (isRange ? undefined : storedChecksum(told)) ?? md5Of(version, isMd5),
    isVersionOfPieces: isMd5 && version !== undefined && /^[0-9a-f]{32}-\d+$/.test(version),
  };
}

function ownChecksum({ Metadata }: Told): Checksum | undefined {
  const hex = Metadata?.[SHA256_KEY];
  return hex !== undefined && /^[0-9a-f]{64}$/.test(hex) ? { algorithm: "sha256", hex } : undefined;
}

const STORED = [
  ["ChecksumSHA256", "sha256"],
  ["ChecksumCRC64NVME", "crc64nvme"],
  ["ChecksumSHA1", "sha1"],
  ["ChecksumCRC32C", "crc32c"],
  ["ChecksumCRC32", "crc32"],
] as const;

/** Not those of pieces (`COMPOSITE`, with their count behind a dash). */
function storedChecksum(told: Told): Checksum | undefined {
  if (told.ChecksumType === "COMPOSITE") return undefined;
  for (const [field, algorithm] of STORED) {
    const text = told[field];
    if (text !== undefined && !text.includes("-"))
      return { algorithm, hex: Buffer.from(text, "base64").toString("hex") };
  }
  return undefined;
}

function md5Of(version: string | undefined, isMd5: boolean): Checksum | undefined {
  return isMd5 && version !== undefined && /^[0-9a-f]{32}$/.test(version)
    ? { algorithm: "md5", hex: version }
    : undefined;
}

/** `bytes 5-9/100` is 5 to 10 of 100. */
export function rangeOf(text: string | undefined): Opened["range"] {
  const parsed = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text?.trim() ?? "");
  if (parsed === null) return undefined;
  const objectBytes = parsed[3] === "*" ? undefined : Number(parsed[3]);
  return { start: Number(parsed[1]), stop: Number(parsed[2]) + 1, objectBytes };
}
