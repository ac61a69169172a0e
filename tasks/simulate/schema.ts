/** What a simulation and its tasks may be asked for. */
import * as v from "valibot";
import type { ModelName } from "./models.ts";

/** Indices in shard names have three digits. */
const GRID_MAX = 1000;
const SHARD_SIZE_MAX = 100;
const SAMPLES_MAX = 20_000_000;
/** Samples of all series of a shard, which a thread holds at once: 400 MB. */
const SHARD_SAMPLES_MAX = 50_000_000;

/**
 * The original shards have level 9, which on such data takes ten times as long as level 6 and saves 2.5 %. No reader sees
 * a difference.
 */
const GZIP_LEVEL = 6;

const MODEL_NAMES: readonly ModelName[] = ["feedback", "injection"];

function whole(least: number, most: number): v.GenericSchema<number, number> {
  return v.pipe(
    v.number(),
    v.integer(`expected a whole number`),
    v.minValue(least, `expected at least ${least}`),
    v.maxValue(most, `expected at most ${most}`),
  );
}

/** Values at the first and the last cell of an axis; either may be the larger. */
const sweep = v.object({ first: v.pipe(v.number(), v.finite()), last: v.pipe(v.number(), v.finite()) });

const simulation = v.object({
  model: v.picklist(MODEL_NAMES, `expected ${MODEL_NAMES.join(" or ")}`),
  grid: v.object({ xSize: whole(1, GRID_MAX), ySize: whole(1, GRID_MAX) }),
  x: sweep,
  y: sweep,
  /** Per series. */
  samples: whole(1, SAMPLES_MAX),
  /** Cells of a shard in each direction. */
  shardSize: whole(1, SHARD_SIZE_MAX),
  seed: whole(0, 4_294_967_295),
  gzipLevel: whole(1, 9),
});

/** Lowest indices of the block of cells that one shard holds. */
const block = v.object({ x: whole(0, GRID_MAX - 1), y: whole(0, GRID_MAX - 1) });

const folder = v.pipe(v.string(), v.minLength(1, "expected a folder"), v.maxLength(4096));

/** What a user asks for; absent sweeps are those of the model. */
export const requestSchema = v.pipe(
  v.object({
    ...simulation.entries,
    x: v.optional(sweep),
    y: v.optional(sweep),
    gzipLevel: v.optional(simulation.entries.gzipLevel, GZIP_LEVEL),
    output: folder,
  }),
  v.check(
    ({ samples, shardSize }) => samples * shardSize * shardSize <= SHARD_SAMPLES_MAX,
    `a shard would hold more than ${SHARD_SAMPLES_MAX} samples; choose fewer samples or a smaller shard size`,
  ),
);

/** What all tasks of a job share. */
export const jobCommonSchema = v.object({ simulation, output: folder });

/** One task: one shard. */
export const taskSchema = v.object({ block });

export type SimulateRequest = v.InferInput<typeof requestSchema>;
/** All that decides the values and files of a simulation, wherever they are written. */
export type Simulation = v.InferOutput<typeof simulation>;
export type SimulateCommon = v.InferOutput<typeof jobCommonSchema>;
export type SimulateTask = v.InferOutput<typeof taskSchema>;
