/** Names the tests whose process ended under them: of a process that dies, vitest itself tells nothing but that it did. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

export class NeverEnded implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const left = modules.flatMap((module) =>
      [...module.children.allTests("pending")].map((test) => named(module, test)),
    );
    if (left.length > 0)
      console.error(`\nThese tests began, or were to begin, in a process that died:\n${left.join("\n")}`);
  }
}

function named({ relativeModuleId }: TestModule, { fullName }: TestCase): string {
  return `  ${relativeModuleId} > ${fullName}`;
}
