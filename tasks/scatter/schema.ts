/** What a task of kind `scatter` is told. */
import * as v from "valibot";
import { VALUE_BYTES_MAX } from "../../protocol/held-values.ts";

/** Of one part of scattered data; the last one may be smaller. */
export const SCATTER_PART_BYTES = 16 << 20;
const PARTS_MAX = Math.ceil(VALUE_BYTES_MAX / SCATTER_PART_BYTES);
const PART_NAME_LENGTH_MAX = 128;

/** The data themselves where they are small; else the parts of their blob, in order, in the job's store of parts. */
export const scatterSchema = v.union([
  v.strictObject({
    parts: v.pipe(
      v.array(v.pipe(v.string(), v.maxLength(PART_NAME_LENGTH_MAX))),
      v.minLength(1),
      v.maxLength(PARTS_MAX),
    ),
    bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(VALUE_BYTES_MAX)),
  }),
  v.strictObject({ value: v.unknown() }),
]);

export type ScatterTask = v.InferOutput<typeof scatterSchema>;
