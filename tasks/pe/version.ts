/** Names everything that decides the bytes of a part; a new one makes old parts unknown. */
import { KERNEL_VERSION } from "../../kernel/version.ts";

/** Counts changes of what a part holds. */
const PART_VERSION = 1;

export const PE_VERSION = `pe ${PART_VERSION}, kernel ${KERNEL_VERSION}`;
