/** Of the kind `scatter`: changes with what its tasks return. */
export const SCATTER_VERSION = "1";
