/** docs/simulation-of-the-scheduler.md: what the simulation does to the cores, what it asks of them, and which breaks it notices. */
import { TABLES } from "../../simulation/coverage.ts";
import { MUTANTS } from "../../simulation/mutants.ts";
import { FAULTS_ABOUT } from "../../simulation/options.ts";
import { BEHAVIOURS_ABOUT } from "../../simulation/workload.ts";
import { row, sourceOf } from "./printed.ts";

/** Where invariants are asserted, and when. */
const JUDGES = {
  "test/simulation/checks.ts":
    "After each step, and of all there is every 64 steps, at crashes, at snapshots and at the end",
  "test/simulation/ledger.ts": "Of each record, by a second reading of the journal",
  "test/simulation/scheduler-host.ts": "Of what the scheduler does",
  "test/simulation/worker-host.ts": "Of what workers do",
  "test/simulation/client-host.ts": "Of what clients are told",
  "test/simulation/world.ts": "Of the whole, most of it at the end",
} as const;

export function printFaults(): string {
  return [
    "| fault | what happens |",
    "| --- | --- |",
    ...Object.entries(FAULTS_ABOUT).map(([fault, about]) => row(`\`${fault}\``, about)),
    "",
    "| task | what it does, wherever it runs |",
    "| --- | --- |",
    ...Object.entries(BEHAVIOURS_ABOUT).map(([behaviour, about]) => row(`\`${behaviour}\``, about)),
  ].join("\n");
}

/** What each judge says when it is violated: values left out. */
export function printInvariants(): string {
  return Object.entries(JUDGES)
    .map(([file, when]) => {
      const texts = [...new Set(violations(sourceOf(file)))];
      return [`${when} (\`${file}\`):`, "", ...texts.map((text) => `- ${text}`)].join("\n");
    })
    .join("\n\n");
}

function violations(source: string): string[] {
  return [...source.matchAll(/\bmust\(/g)].flatMap(({ index }) => {
    const literals = [...callAt(source, index).matchAll(/,\s*(?:`([^`]*)`|"([^"]*)"),?\s*\)$/g)];
    const [, template, plain] = literals.at(-1) ?? [];
    const text = template ?? plain;
    return text === undefined ? [] : [text.replaceAll(/\$\{[^}]*\}/g, "…").replaceAll(/\s+/g, " ")];
  });
}

/** From a name to the bracket that closes its call. */
function callAt(source: string, index: number): string {
  let depth = 0;
  for (let place = source.indexOf("(", index); place < source.length; place++) {
    if (source[place] === "(") depth++;
    else if (source[place] === ")" && --depth === 0) return source.slice(index, place + 1);
  }
  throw new Error("Cannot read invariants: a call does not end");
}

export function printMutants(): string {
  return [
    `${MUTANTS.length} mutants, one for each safety mechanism:`,
    "",
    "| what is broken | where |",
    "| --- | --- |",
    ...MUTANTS.map(({ name, file }) => row(name, `\`${file}\``)),
  ].join("\n");
}

export function printImpossible(): string {
  return Object.entries(TABLES)
    .map(([, { title, impossible }]) => {
      const reasons = new Map<string, string[]>();
      let last = "";
      for (const [pair, why] of Object.entries(impossible)) {
        if (why !== "as above") last = why;
        if (last !== "no transition") reasons.set(last, [...(reasons.get(last) ?? []), pair]);
      }
      return [`${title}:`, "", ...[...reasons].map(([why, pairs]) => `- ${pairs.join(", ")}: ${why}`)].join("\n");
    })
    .join("\n\n");
}
