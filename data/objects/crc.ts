/**
 * Cyclic redundancy checks that object stores keep and Node does not compute: CRC-32C and CRC-64/NVME, both reflected,
 * all ones before and after. Eight bytes a step, by tables of 8 x 256 ("slicing by 8", Kounavis and Berry, 2005).
 *
 * Check values of the nine bytes "123456789": CRC-32C e3069283, CRC-64/NVME ae8b14860a799888 (reveng catalogue).
 */

/** Reflected polynomial: the lower and the upper 32 bits. */
interface Polynomial {
  readonly low: number;
  readonly high: number;
}

interface Tables {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

const NVME: Polynomial = { low: 0xac4bc9b5, high: 0x9a6c9329 };
const CASTAGNOLI: Polynomial = { low: 0x82f63b78, high: 0 };

let nvmeTables: Tables | undefined;
let castagnoliTables: Tables | undefined;

/** A check of bytes that come one piece after the other. */
export interface RunningCrc {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal. */
  hex(): string;
}

/** 16 digits. */
export function startCrc64nvme(): RunningCrc {
  const tables = (nvmeTables ??= makeTables(NVME));
  let rest: Polynomial = { low: 0xffffffff, high: 0xffffffff };
  return {
    update: (bytes) => void (rest = run(tables, bytes, rest)),
    hex: () => hex32(~rest.high) + hex32(~rest.low),
  };
}

/** 8 digits. */
export function startCrc32c(): RunningCrc {
  const tables = (castagnoliTables ??= makeTables(CASTAGNOLI));
  let rest: Polynomial = { low: 0xffffffff, high: 0 };
  return { update: (bytes) => void (rest = run(tables, bytes, rest)), hex: () => hex32(~rest.low) };
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** Table k at [256 k + byte]: what a byte that is followed by k zero bytes does to the remainder. */
function makeTables(polynomial: Polynomial): Tables {
  const low = new Uint32Array(8 * 256);
  const high = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let [restLow, restHigh] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const carry = restLow & 1;
      restLow = (restLow >>> 1) | (restHigh << 31);
      restHigh >>>= 1;
      if (carry === 0) continue;
      restLow ^= polynomial.low;
      restHigh ^= polynomial.high;
    }
    low[byte] = restLow;
    high[byte] = restHigh;
  }
  for (let index = 256; index < 8 * 256; index++) {
    const [beforeLow, beforeHigh] = [low[index - 256]!, high[index - 256]!];
    const byte = beforeLow & 255;
    low[index] = low[byte]! ^ ((beforeLow >>> 8) | (beforeHigh << 24));
    high[index] = high[byte]! ^ (beforeHigh >>> 8);
  }
  return { low, high };
}

function run(tables: Tables, bytes: Uint8Array, rest: Polynomial): Polynomial {
  const { low: tableLow, high: tableHigh } = tables;
  let { low, high } = rest;
  let place = 0;
  for (const stop = bytes.byteLength - 7; place < stop; place += 8) {
    const first =
      low ^ (bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16) | (bytes[place + 3]! << 24));
    const second =
      high ^ (bytes[place + 4]! | (bytes[place + 5]! << 8) | (bytes[place + 6]! << 16) | (bytes[place + 7]! << 24));
    const a = 1792 + (first & 255);
    const b = 1536 + ((first >>> 8) & 255);
    const c = 1280 + ((first >>> 16) & 255);
    const d = 1024 + (first >>> 24);
    const e = 768 + (second & 255);
    const f = 512 + ((second >>> 8) & 255);
    const g = 256 + ((second >>> 16) & 255);
    const h = second >>> 24;
    low =
      tableLow[a]! ^
      tableLow[b]! ^
      tableLow[c]! ^
      tableLow[d]! ^
      tableLow[e]! ^
      tableLow[f]! ^
      tableLow[g]! ^
      tableLow[h]!;
    high =
      tableHigh[a]! ^
      tableHigh[b]! ^
      tableHigh[c]! ^
      tableHigh[d]! ^
      tableHigh[e]! ^
      tableHigh[f]! ^
      tableHigh[g]! ^
      tableHigh[h]!;
  }
  for (; place < bytes.byteLength; place++) {
    const byte = (low ^ bytes[place]!) & 255;
    low = tableLow[byte]! ^ ((low >>> 8) | (high << 24));
    high = tableHigh[byte]! ^ (high >>> 8);
  }
  return { low, high };
}
