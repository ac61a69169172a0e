import { defineConfig } from "vitest/config";

/**
 * Three projects, fastest first:
 * `source` reads the TypeScript as it is; `built` and `system` use the package in dist/, which `pretest` makes anew.
 */
const shared = { exclude: ["**/node_modules/**", "**/dist/**"], testTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "source",
          include: ["test/{unit,property,tidy,conformance,golden,simulation}/**/*.test.ts"],
        },
      },
      { test: { ...shared, name: "built", include: ["test/integration/**/*.test.ts"] } },
      {
        test: {
          ...shared,
          name: "system",
          include: ["test/system/**/*.test.ts"],
          testTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
