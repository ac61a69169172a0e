/** pe-client demo: the main job from nothing to pictures, on a small simulated laser. */
import { join } from "node:path";
import { EXIT } from "../../../common/errors.ts";
import { computeMaps } from "../../maps/map-job.ts";
import { reportText, writeReport } from "../../maps/map-report.ts";
import { drawMaps } from "../../maps/pictures.ts";
import { simulateShards } from "../../simulation.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import { createProgress, jobState } from "../progress.ts";

/** A laser with feedback from a mirror 67.5 cm away: a round trip of 4.5 ns is 90 samples of 50 ps. */
const SIMULATION = {
  model: "feedback",
  grid: { xSize: 32, ySize: 32 },
  samples: 6000,
  shardSize: 8,
  // Weaker feedback than 5 per ns adds a narrow wedge of regular pulsing that takes all colours of the map at 90.
  y: { first: 5, last: 35 },
  seed: 1,
} as const;
const INTERVAL_SECONDS = 50e-12;
const ORDERS = [3, 4, 5, 6];
/** Past the round trip at 90, for a scan without gaps. */
const DELAYS = Array.from({ length: 100 }, (_, index) => index + 1);
const FIGURES = {
  xLabel: "Injection current (J/Jth)",
  yLabel: "Feedback rate (1/ns)",
  intervalSeconds: INTERVAL_SECONDS,
  marks: [
    { delay: 90, label: "round trip" },
    { delay: 45, label: "half" },
    { delay: 30, label: "third" },
  ],
  note: "Simulated: Lang-Kobayashi equations with detector noise, not a measurement.",
};

export const demo: CommandSpec = {
  name: "demo",
  about: "Simulate a small laser with optical feedback, compute its maps, draw them, and say what they show.",
  options: [{ flags: "--output DIR", about: "folder for everything", default: "demo-output" }, JSON_OPTION],
  examples: ["pe-client demo --output demo-output"],
  run: async (given, console) => {
    const folder = given.needed("output");
    const [shards, output, pictures] = [join(folder, "shards"), join(folder, "maps.hdf5"), join(folder, "pictures")];
    const signals = stopOnSignals(console);
    try {
      await simulate(shards, signals.signal, console);
      const report = await compute(shards, output, signals.signal, console);
      const drawn = await draw(
        output,
        pictures,
        report.maps.map(({ name }) => name),
        console,
      );
      const written = await writeReport(report, drawn);
      const text = `${reportText(report, [...written, `${drawn.length} pictures to ${pictures}`])}\n${explain(pictures)}`;
      printResult(console, given.flag("json"), { ...report, pictures: drawn }, text);
      return report.problems.length === 0 ? EXIT.ok : EXIT.dataError;
    } finally {
      signals.release();
    }
  },
};

async function simulate(output: string, signal: AbortSignal, console: Console): Promise<void> {
  const progress = createProgress(console, "simulating");
  console.stderr(
    `simulating a laser with optical feedback, ${SIMULATION.grid.xSize} x ${SIMULATION.grid.ySize} cells\n`,
  );
  try {
    await simulateShards(
      { ...SIMULATION, output },
      {
        signal,
        onProgress: ({ shardsDone, shards, file }) =>
          progress.update({ done: shardsDone, total: shards, before: 0, unit: "shards", current: file }),
      },
    );
  } finally {
    progress.end();
  }
}

async function compute(
  input: string,
  output: string,
  signal: AbortSignal,
  console: Console,
): Promise<Awaited<ReturnType<typeof computeMaps>>> {
  const progress = createProgress(console, "computing");
  console.stderr(`computing orders ${ORDERS.join(", ")} at delays 1 to ${DELAYS.length}\n`);
  try {
    return await computeMaps({
      input,
      output,
      orders: ORDERS,
      delays: DELAYS,
      measures: ["pe"],
      // A demo repeated with another version of the program is a new demo.
      replace: true,
      signal,
      onProgress: (state) => progress.update(jobState(state)),
    });
  } finally {
    progress.end();
  }
}

async function draw(output: string, folder: string, names: readonly string[], console: Console): Promise<string[]> {
  const progress = createProgress(console, "drawing");
  const shown = names.filter((name) => SHOWN.has(name));
  try {
    return await drawMaps(output, folder, {
      ...FIGURES,
      names: shown,
      scan: SCAN_CELL,
      onDrawn: (done, total, name) => progress.update({ done, total, before: 0, unit: "pictures", current: name }),
    });
  } finally {
    progress.end();
  }
}

/** Maps worth a picture: short delays, the round trip with its third and half, and one in between. */
const SHOWN = new Set(["m005t001", "m005t005", "m005t030", "m005t045", "m005t070", "m005t090"]);
/** A cell of low current and strong feedback, where the cavity shows in the scan. */
const SCAN_CELL = { x: 14, y: 31 };

function explain(pictures: string): string {
  return [
    "What the pictures show (a simulation, not a measurement):",
    `- ${join(pictures, "m005t001.png")}: left of threshold (J/Jth = 1) there is only detector noise (0.76); right of it a deep low lobe lies at weak feedback and rises to the noise level at strong feedback.`,
    `- ${join(pictures, "m005t090.png")}: at the round trip of the cavity (90 samples, 4.5 ns) the map is another one: lowest at low current and strong feedback, nearly 1 in noise and at weak feedback.`,
    `- ${join(pictures, `scan_pe_x${SCAN_CELL.x}_y${SCAN_CELL.y}.png`)}: the entropy of one cell against the delay dips sharply at the round trip (90) and at its half and third (45, 30).`,
    "Locked or noise-dominated regions have high entropy, because of detector noise; only noise-free locking would have 0.",
    "",
  ].join("\n");
}
