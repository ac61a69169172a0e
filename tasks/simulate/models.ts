/** The two laser models as sources of detected series: one table of axes, transients and detectors. */
import { PeError } from "../../common/errors.ts";
import { Random } from "../../common/random.ts";
import { addNoise, BUTTERWORTH, digitise, follow, lowPass, sample } from "./detector.ts";
import { feedbackIntensity } from "./feedback.ts";
import { injectionIntensity } from "./injection.ts";

/** One axis of the map: what it means, and the values swept unless others are asked for. */
export interface Axis {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

/** Chance of one series, by its source: neither shifts the other. */
interface Chance {
  readonly laser: Random;
  readonly detector: Random;
}

export interface Model {
  readonly x: Axis;
  readonly y: Axis;
  /** Samples before the first that is kept. */
  readonly transient: number;
  /** Time of one thread for a sample, for estimates. */
  readonly costNs: number;
  /** Detected series at one place of the map. Shape `[samples]`. */
  simulate(xVariable: number, yVariable: number, samples: number, chance: Chance): Float64Array;
}

/**
 * Samples dropped in either model. With feedback they are 200 ns, 44 round trips: windows of 100 ns differ from those
 * that follow in the first, no longer in the third (docs/simulation.md).
 */
const TRANSIENT = 4000;

/** Intensities for one sample of 50 ps. */
const FEEDBACK_OVERSAMPLING = 4;

const feedback: Model = {
  x: { name: "injection current J/Jth", first: 0.9, last: 1.35 },
  y: { name: "feedback rate kappa (1/ns)", first: 0.5, last: 35 },
  transient: TRANSIENT,
  costNs: 850,
  simulate(current, feedbackPerNs, samples, { laser, detector }) {
    const first = TRANSIENT * FEEDBACK_OVERSAMPLING;
    const length = first + samples * FEEDBACK_OVERSAMPLING;
    const intensity = feedbackIntensity({ current, feedbackPerNs }, length, laser);
    addNoise(intensity, 0.02, detector);
    for (const section of BUTTERWORTH) lowPass(intensity, section);
    const series = sample(intensity, first, FEEDBACK_OVERSAMPLING);
    digitise(series, { bits: 14, low: -0.5, high: 3.5 });
    return series;
  },
};

/** Intensities for one sample of 0.2 units of time. */
const INJECTION_OVERSAMPLING = 5;

const injection: Model = {
  x: { name: "injection strength K", first: 0, last: 1.2 },
  y: { name: "detuning omega", first: -4, last: 4 },
  transient: TRANSIENT,
  costNs: 180,
  simulate(strength, detuning, samples, { laser, detector }) {
    const first = TRANSIENT * INJECTION_OVERSAMPLING;
    const length = first + samples * INJECTION_OVERSAMPLING;
    const intensity = injectionIntensity({ strength, detuning }, length, laser);
    for (let pole = 0; pole < 2; pole++) follow(intensity, 0.2);
    const series = sample(intensity, first, INJECTION_OVERSAMPLING);
    addNoise(series, 0.06, detector);
    digitise(series, { bits: 8, low: -1, high: 13.6 });
    return series;
  },
};

export const MODELS = { feedback, injection } as const satisfies Record<string, Model>;

export type ModelName = keyof typeof MODELS;

/** Where a series lies in its grid, and what it is made of. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly xVariable: number;
  readonly yVariable: number;
}

/**
 * The detected series of one cell. Its chance depends on `seed`, `x` and `y` only, so that a cell has the same values
 * on every machine, in whatever shard, thread or order it is computed.
 *
 * @returns Multiples of the converter's step, as an oscilloscope would store them; shape `[samples]`.
 * @throws {PeError} `PE_PARAMETER` where the variables lie so far out that the integration diverges.
 * @example
 * simulateSeries("feedback", { x: 0, y: 0, xVariable: 1.1, yVariable: 20 }, 5000, 1);
 */
export function simulateSeries(model: ModelName, cell: Cell, samples: number, seed: number): Float64Array {
  const chance = { laser: new Random(seed, cell.x, cell.y, 0), detector: new Random(seed, cell.x, cell.y, 1) };
  const series = MODELS[model].simulate(cell.xVariable, cell.yVariable, samples, chance);
  // A field that is no number stays so to the end.
  if (!Number.isFinite(series.at(-1))) throw diverges(model, cell);
  return series;
}

function diverges(model: ModelName, { x, y, xVariable, yVariable }: Cell): PeError {
  const place = `${MODELS[model].x.name} ${xVariable}, ${MODELS[model].y.name} ${yVariable}`;
  return new PeError(
    "PE_PARAMETER",
    `Cannot simulate cell ${x},${y}: the integration diverges at ${place}; choose a narrower sweep`,
    { details: { x, y, xVariable, yVariable } },
  );
}
