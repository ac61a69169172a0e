/** The number of a port, as typed. */
import { PeError } from "../../common/errors.ts";

const PORT_MAX = 65_535;

/** @throws {PeError} `PE_PARAMETER` */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= PORT_MAX))
    throw new PeError("PE_PARAMETER", `Cannot read --port "${text}": expected a whole number from 0 to ${PORT_MAX}`);
  return port;
}
