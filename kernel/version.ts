/** Changes whenever any value the kernel computes changes in any bit. */
export const KERNEL_VERSION = "1";
