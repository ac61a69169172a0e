/** The values of ASN.1 that a certificate is made of, in their distinguished encoding (X.690): tag, length, contents. */

/** A value with this tag. */
export function raw(tag: number, contents: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag), lengthOf(contents.byteLength), contents]);
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  return length < 0x100 ? Uint8Array.of(0x81, length) : Uint8Array.of(0x82, length >> 8, length & 0xff);
}

/** SEQUENCE */
export function list(...values: readonly Uint8Array[]): Uint8Array {
  return raw(0x30, Buffer.concat(values));
}

/** SET of one. */
export function set(value: Uint8Array): Uint8Array {
  return raw(0x31, value);
}

/** INTEGER, below 128 or as bytes whose highest bit is not set. */
export function integer(value: number | Uint8Array): Uint8Array {
  return raw(0x02, typeof value === "number" ? Uint8Array.of(value) : value);
}

/** BIT STRING without its last `unused` bits. */
export function bitString(bits: Uint8Array, unused = 0): Uint8Array {
  return raw(0x03, Buffer.concat([Uint8Array.of(unused), bits]));
}

/** OCTET STRING */
export function bytes(contents: Uint8Array): Uint8Array {
  return raw(0x04, contents);
}

/** OBJECT IDENTIFIER, such as `2.5.4.3`. */
export function oid(name: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = name.split(".").map(Number);
  return raw(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Seven bits a byte, the highest bit set on all but the last. */
function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

/** UTF8String */
export function text(value: string): Uint8Array {
  return raw(0x0c, Buffer.from(value, "utf8"));
}

/** UTCTime up to 2049, GeneralizedTime from then on, as RFC 5280 wants it. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? raw(0x17, Buffer.from(digits.slice(2), "latin1"))
    : raw(0x18, Buffer.from(digits, "latin1"));
}

/** A value within a tag of its context. */
export function explicit(tag: number, value: Uint8Array): Uint8Array {
  return raw(0xa0 | tag, value);
}

export const TRUE: Uint8Array = raw(0x01, Uint8Array.of(0xff));
