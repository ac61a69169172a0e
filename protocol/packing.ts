/** The one file with msgpackr: its packers, set once for what this house needs. */
import { addExtension, Packr, Unpackr } from "msgpackr/pack";

// This entry of the package has no native addon: a fault of one would end the process.
const OPTIONS = { useRecords: false } as const;
/** As the packers begin with. */
const MEMORY_BYTES = 8192;

/** For frames: numbers, text, binaries and lists; what comes in may be anything. */
export const framePacker = new Packr({ ...OPTIONS, variableMapSize: true });
export const frameUnpacker = new Unpackr({ ...OPTIONS, mapsAsObjects: false, int64AsType: "auto" });

/** For values of tasks: what JSON has, and typed arrays, dates, sets and maps. */
export const valuePacker = new Packr({ ...OPTIONS, moreTypes: true, variableMapSize: true, mapsAsObjects: true });

/** Teaches the packers a class of this house under a number of the application's range, 0 to 99. */
export function teach<Instance>(
  type: number,
  Class: new (...parameters: never[]) => Instance,
  pack: (instance: Instance) => Uint8Array,
  unpack: (bytes: Uint8Array) => unknown,
): void {
  addExtension({ Class, type, pack: (instance: Instance) => Buffer.from(pack(instance)), unpack });
}

/** The packers write into memory that grows with what they pack: from now on into new memory. */
export function renewMemory(): void {
  valuePacker.useBuffer(Buffer.allocUnsafeSlow(MEMORY_BYTES));
}
