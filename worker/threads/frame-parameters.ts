/** The parameters of a frame's tasks, decoded. */
import { readValue } from "../../protocol/large-values.ts";
import { decodeValue } from "../../protocol/values.ts";
import { pieceOf, type DeliveredFrame } from "./frame.ts";

/** Of the task at `place`; results that it needs are in their places. A task of a range has none but its index: undefined. */
export function parametersOf(frame: Pick<DeliveredFrame, "parameters" | "inputs">, place: number): unknown {
  const bytes = pieceOf(frame.parameters, place);
  return bytes.byteLength === 0 ? undefined : decodeValue(bytes, inputsOf(frame, place));
}

const NO_INPUTS: readonly unknown[] = [];

function inputsOf({ inputs }: Pick<DeliveredFrame, "inputs">, place: number): readonly unknown[] {
  if (inputs === undefined) return NO_INPUTS;
  const { values, ends, blobs } = inputs;
  const first = place === 0 ? 0 : ends[place - 1]!;
  return Array.from({ length: ends[place]! - first }, (_, input) => {
    // Of each task its own, but for the memory of the arrays: what a task changes in an object is not the next one's.
    const blob = blobs?.get(first + input);
    return blob === undefined ? decodeValue(pieceOf(values, first + input)) : readValue(blob);
  });
}
