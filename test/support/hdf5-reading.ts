/** All that a reader of HDF5 says about a file, comparable. */
import type { DatasetInfo, RootFile } from "../../data/hdf5/model.ts";

/** Attributes by which series are placed; texts among others may be left out by the plain reader. */
const PLACING = ["x_index", "y_index", "x_variable", "y_variable", "INJ", "FB"];

/** A damaged shape may ask for any amount; beyond this nothing is read. */
const READ_BYTES_MAX = 1_000_000;

export interface DatasetReading {
  readonly name: string;
  readonly shape: string;
  readonly element: string;
  readonly attributes: readonly string[];
  /** Values in hexadecimal, `refused`, `damaged`, or `none`. */
  readonly values: string;
}

/** Reads and closes `file`. */
export function readingOf(file: RootFile): DatasetReading[] {
  try {
    return file.datasets.map((dataset, index) => ({
      name: dataset.name,
      shape: String(dataset.shape),
      element: JSON.stringify(dataset.element),
      attributes: PLACING.map((name) => {
        const value = dataset.attributes.get(name);
        return typeof value === "string" ? "undefined" : String(value);
      }),
      values: valuesOf(file, dataset, index),
    }));
  } finally {
    file.close();
  }
}

function valuesOf(file: RootFile, { refusal, element, shape }: DatasetInfo, index: number): string {
  if (refusal !== undefined) return "refused";
  const isSeries = shape?.length === 1 || (shape?.length === 2 && shape[1] === 1);
  if (element === undefined || !isSeries || shape[0]! * element.bytes > READ_BYTES_MAX) return "none";
  try {
    return Buffer.from(file.readBytes(index)).toString("hex");
  } catch {
    return "damaged";
  }
}
