/** Counts changes of what is said on the links; both sides must have the same. */
export const PROTOCOL_VERSION = 1;
