/**
 * Names the tests whose process ended under them, and what they were at: of a process that dies, vitest itself tells nothing but
 * that it did.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** What a process of tests does now, told if it dies of it. Undefined: nothing of note any more. */
export function nowAt(what: string | undefined): void {
  if (what === undefined) rmSync(fileOf(process.ppid), { force: true });
  else writeFileSync(fileOf(process.ppid), what);
}

function fileOf(runner: number): string {
  return join(tmpdir(), `pe-test-now-at-${runner}`);
}

export class NeverEnded implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const left = modules.flatMap((module) =>
      [...module.children.allTests("pending")].map((test) => named(module, test)),
    );
    const file = fileOf(process.pid);
    const at = existsSync(file) ? [`  which was at: ${readFileSync(file, "utf8")}`] : [];
    rmSync(file, { force: true });
    if (left.length > 0)
      console.error(`\nThese tests began, or were to begin, in a process that died:\n${[...left, ...at].join("\n")}`);
  }
}

function named({ relativeModuleId }: TestModule, { fullName }: TestCase): string {
  return `  ${relativeModuleId} > ${fullName}`;
}
