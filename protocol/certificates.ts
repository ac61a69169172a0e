/**
 * A certificate authority and one certificate of it, for a scheduler; a certificate that is trusted by its hash, for a worker
 * (X.509 v3, ECDSA on P-256 with SHA-256), in the encoding of RFC 5280.
 *
 * Keys and signatures are made by Node's own crypto; only the three fixed forms below are written here. The authority's key
 * is forgotten at once: whoever has what is left cannot make another certificate that is trusted.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { bitString, bytes, explicit, integer, list, oid, raw, set, text, time, TRUE } from "./der.ts";

/** Of the authority and the certificate. */
export const VALID_DAYS = 3650;
const DAY_MS = 24 * 3600 * 1000;

export interface Certificates {
  /** What those who connect trust, PEM. */
  readonly ca: string;
  /** Certificate of the scheduler, PEM. */
  readonly cert: string;
  /** Its private key, PEM. */
  readonly key: string;
}

/**
 * Makes certificates for a scheduler that is reached under `hosts`.
 *
 * @param hosts Names and addresses; for programs that check them, which those of this package do not.
 */
export function makeCertificates(hosts: readonly string[], now: Date = new Date()): Certificates {
  const [authority, own] = [newKeys(), newKeys()];
  const dates = datesFrom(now);
  const ca = certificate({
    ...dates,
    issuer: AUTHORITY,
    subject: AUTHORITY,
    publicKey: authority.publicKey,
    signer: authority.privateKey,
    extensions: [
      extension(OID.basicConstraints, true, list(TRUE, integer(0))),
      extension(OID.keyUsage, true, KEY_CERT_SIGN),
      extension(OID.subjectKeyIdentifier, false, bytes(keyIdentifier(authority.publicKey))),
    ],
  });
  const cert = certificate({
    ...dates,
    issuer: AUTHORITY,
    subject: "pe-cluster scheduler",
    publicKey: own.publicKey,
    signer: authority.privateKey,
    extensions: [
      extension(OID.basicConstraints, true, list()),
      extension(OID.keyUsage, true, DIGITAL_SIGNATURE),
      extension(OID.extendedKeyUsage, false, list(oid(OID.serverAuthentication))),
      extension(OID.subjectAlternativeName, false, list(...hosts.map(alternativeName))),
      extension(OID.authorityKeyIdentifier, false, list(raw(0x80, keyIdentifier(authority.publicKey)))),
      extension(OID.subjectKeyIdentifier, false, bytes(keyIdentifier(own.publicKey))),
    ],
  });
  return { ca, cert, key: pemOf(own.privateKey) };
}

/** Certificate and key, PEM, and the hash by which the certificate is known. */
export interface OwnCertificate extends Pick<Certificates, "cert" | "key"> {
  /** `fingerprintOf` the certificate. */
  readonly fingerprint: string;
}

/** Makes a certificate that nobody has issued, of the life of one process: whoever is to trust it is told its hash. */
export function makeOwnCertificate(now: Date = new Date()): OwnCertificate {
  const { publicKey, privateKey } = newKeys();
  const cert = certificate({
    ...datesFrom(now),
    issuer: WORKER,
    subject: WORKER,
    publicKey,
    signer: privateKey,
    extensions: [
      extension(OID.basicConstraints, true, list()),
      extension(OID.keyUsage, true, DIGITAL_SIGNATURE),
      extension(OID.extendedKeyUsage, false, list(oid(OID.serverAuthentication))),
    ],
  });
  return { cert, key: pemOf(privateKey), fingerprint: fingerprintOf(cert) };
}

/** SHA-256 of a certificate (PEM), 64 hexadecimal digits. */
export function fingerprintOf(cert: string | X509Certificate): string {
  const { fingerprint256 } = typeof cert === "string" ? new X509Certificate(cert) : cert;
  return fingerprint256.replaceAll(":", "").toLowerCase();
}

const OID = {
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAlternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuthentication: "1.3.6.1.5.5.7.3.1",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
} as const;

/** Bits of keyUsage, the first one highest: digitalSignature is bit 0, keyCertSign bit 5. */
const DIGITAL_SIGNATURE = bitString(Uint8Array.of(0x80), 7);
const KEY_CERT_SIGN = bitString(Uint8Array.of(0x04), 2);
const VERSION_3 = 2;

const AUTHORITY = "pe-cluster authority";
const WORKER = "pe-cluster worker";
const SIGNED_WITH = list(oid(OID.ecdsaWithSha256));

interface Contents {
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly from: Date;
  readonly until: Date;
  readonly extensions: readonly Uint8Array[];
}

function certificate({ issuer, subject, publicKey, signer, from, until, extensions }: Contents): string {
  const body = list(
    explicit(0, integer(VERSION_3)),
    integer(serialNumber()),
    SIGNED_WITH,
    nameOf(issuer),
    list(time(from), time(until)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    explicit(3, list(...extensions)),
  );
  return pem(list(body, SIGNED_WITH, bitString(sign("sha256", body, signer))));
}

/** From the day before, for clocks that are not together. */
function datesFrom(now: Date): Pick<Contents, "from" | "until"> {
  return { from: new Date(now.getTime() - DAY_MS), until: new Date(now.getTime() + VALID_DAYS * DAY_MS) };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

/** Positive, 16 bytes, never given twice. */
function serialNumber(): Uint8Array {
  const number = randomBytes(16);
  number[0] = (number[0]! & 0x3f) | 0x40;
  return number;
}

function nameOf(commonName: string): Uint8Array {
  return list(set(list(oid(OID.commonName), text(commonName))));
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  return isCritical ? list(oid(id), TRUE, bytes(value)) : list(oid(id), bytes(value));
}

/** A name (tag 2) or an address (tag 7). */
function alternativeName(host: string): Uint8Array {
  const version = isIP(host);
  if (version === 0) return raw(0x82, Buffer.from(host, "latin1"));
  return raw(0x87, version === 4 ? Uint8Array.from(host.split("."), Number) : addressBytes(host));
}

/** Sixteen bytes of an IPv6 address. */
function addressBytes(host: string): Uint8Array {
  // A URL gives the canonical form, with hexadecimal groups alone.
  const [before = "", after] = new URL(`http://[${host}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined): number[] =>
    part === undefined || part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const [first, last] = [groups(before), groups(after)];
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** SHA-1 of the public key's bits, as RFC 5280 4.2.1.2 has it: a name of the key, not a proof of anything. */
function keyIdentifier(key: KeyObject): Uint8Array {
  const point = key.export({ type: "spki", format: "der" }).subarray(-65);
  return createHash("sha1").update(point).digest();
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .replaceAll(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
