/** Pages that are printed from the code, and links that must not break. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../common/errors.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, { exit, about }]) => `| \`${code}\` | ${exit} | ${about} |`);
  return [
    "# Errors",
    "",
    "Every error that a command tells ends with its code in brackets; the process ends with the exit status beside it (those of",
    "sysexits). Printed from `common/errors.ts`: `UPDATE_DOCUMENTS=1 npx vitest run test/tidy/documents.test.ts`.",
    "",
    "| code | exit status | what happened |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

describe("docs", () => {
  test("errors.md is what the table of codes says", () => {
    const path = join(ROOT, "docs", "errors.md");
    if (process.env.UPDATE_DOCUMENTS === "1") writeFileSync(path, errorsPage());
    expect(readFileSync(path, "utf8")).toBe(errorsPage());
  });

  test.each(pages)("%s links to files that are there", (page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const targets = [...text.matchAll(/\]\(<?([^)#>]+)>?(?:#[^)]*)?\)/g)].map(([, target]) => target!);
    const broken = targets.filter(
      (target) => !/^(https?|mailto):/.test(target) && !existsSync(join(ROOT, dirname(page), target)),
    );
    expect(broken).toEqual([]);
  });
});
