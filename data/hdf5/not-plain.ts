/** Thrown where a file is not plain in the sense of `plain.ts`, or damaged: the HDF5 library is asked instead. */
export class NotPlain extends Error {
  override readonly name = "NotPlain";
}

export function requirePlain(condition: boolean, what: string): asserts condition {
  if (!condition) throw new NotPlain(what);
}

/** "Nowhere", as an address. */
export const UNDEFINED_ADDRESS = Infinity;

/** An address or length. @throws {NotPlain} above 2^53 */
export function uint64(view: DataView, offset: number): number {
  const low = view.getUint32(offset, true);
  const high = view.getUint32(offset + 4, true);
  if (low === 0xffffffff && high === 0xffffffff) return UNDEFINED_ADDRESS;
  requirePlain(high < 1 << 21, "a number above 2^53");
  return high * 4294967296 + low;
}

export function signatureIs(view: DataView, signature: string): boolean {
  for (let index = 0; index < signature.length; index++)
    if (view.getUint8(index) !== signature.charCodeAt(index)) return false;
  return true;
}
