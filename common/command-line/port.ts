/** The number of a port, as typed. */
import { PeError } from "../errors.ts";

const PORT_MAX = 65_535;

/**
 * @param least 0 is any port that is free.
 * @throws {PeError} `PE_PARAMETER`
 */
export function parsePort(text: string, least = 0): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= least && port <= PORT_MAX) return port;
  throw new PeError(
    "PE_PARAMETER",
    `Cannot read --port "${text}": expected a whole number from ${least} to ${PORT_MAX}`,
  );
}
