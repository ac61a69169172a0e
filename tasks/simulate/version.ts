/** Changes whenever the same parameters would give other values; a test freezes values and version together. */
export const SIMULATE_VERSION = "1";
