/** The parameters of a frame's tasks, decoded. */
import { decodeValue } from "../protocol/values.ts";
import { pieceOf, type DeliveredFrame } from "./frame.ts";

/** Of the task at `place`; results that it needs are in their places. A task of a range has none but its index: undefined. */
export function parametersOf(frame: Pick<DeliveredFrame, "parameters" | "inputs">, place: number): unknown {
  const bytes = pieceOf(frame.parameters, place);
  return bytes.byteLength === 0 ? undefined : decodeValue(bytes, inputsOf(frame, place));
}

function inputsOf({ inputs }: Pick<DeliveredFrame, "inputs">, place: number): unknown[] {
  if (inputs === undefined) return [];
  const { values, counts } = inputs;
  let first = 0;
  for (let before = 0; before < place; before++) first += counts[before]!;
  return Array.from({ length: counts[place]! }, (_, input) => decodeValue(pieceOf(values, first + input)));
}
