import { PeError } from "../../common/errors.ts";
import type { ValueName } from "../held-values.ts";

/** A value could not be had from anybody who was named. */
export class FetchFailed extends PeError {
  /** Workers that said that they do not have it. */
  readonly gone: readonly string[];
  readonly because: string;

  constructor({ id, task }: ValueName, gone: readonly string[], reasons: readonly string[]) {
    const because = reasons.length === 0 ? "nobody is known to have it" : reasons.join("; ");
    super("PE_VALUE_UNREACHABLE", `Cannot fetch the result of task ${task} of job "${id}": ${because}`, {
      details: { gone },
    });
    this.gone = gone;
    this.because = because;
  }
}
