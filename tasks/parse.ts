/** Checks values from outside against a schema; the one file with valibot's parser. */
import { getDotPath, safeParse, type GenericSchema } from "valibot";
import { PeError } from "../common/errors.ts";

/** @throws {PeError} `PE_PARAMETER` naming the first field that does not fit. */
export function parse<Output>(schema: GenericSchema<unknown, Output>, value: unknown, what: string): Output {
  const result = safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = getDotPath(issue);
  throw new PeError("PE_PARAMETER", `Cannot read the ${what}: ${path === null ? "" : `${path}: `}${issue.message}`, {
    details: { path },
  });
}
