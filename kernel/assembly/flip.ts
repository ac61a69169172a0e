// Unsigned integers become signed ones in the same order: SIMD compares signed numbers.

/** `bytes` from `address` on, u8 to i8; rounded up to 16. */
export function flip8(address: usize, bytes: i32): void {
  const top = i8x16.splat(<i8>0x80);
  for (let at = address; at < address + <usize>bytes; at += 16) v128.store(at, v128.xor(v128.load(at), top));
}

/** `bytes` from `address` on, u16 to i16; rounded up to 16. */
export function flip16(address: usize, bytes: i32): void {
  const top = i16x8.splat(<i16>0x8000);
  for (let at = address; at < address + <usize>bytes; at += 16) v128.store(at, v128.xor(v128.load(at), top));
}
