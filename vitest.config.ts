import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { NeverEnded } from "./test/support/never-ended.ts";

/**
 * Three projects, fastest first:
 * `source` reads the TypeScript as it is; `built` and `system` use the package in dist/, which `pretest` makes anew.
 */
// On two cores vitest would leave one idle.
const WORKERS = Math.max(2, availableParallelism() - 1);
const shared = {
  exclude: ["**/node_modules/**", "**/dist/**"],
  testTimeout: 60_000,
  // Bytes that differ would drive all else out of what is kept of a run.
  diff: { truncateThreshold: 60 },
};

export default defineConfig({
  test: {
    reporters: ["default", new NeverEnded()],
    projects: [
      {
        test: {
          ...shared,
          name: "source",
          maxWorkers: WORKERS,
          include: ["test/{unit,property,tidy,conformance,golden,simulation}/**/*.test.ts"],
        },
      },
      { test: { ...shared, name: "built", maxWorkers: WORKERS, include: ["test/integration/**/*.test.ts"] } },
      {
        test: {
          ...shared,
          name: "system",
          include: ["test/system/**/*.test.ts"],
          testTimeout: 300_000,
          fileParallelism: false,
          // After the others: what is killed and frozen here has the machine for itself.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
