/** What maps of what input: the same options for a run here and for a job on a cluster. */
import type { Given, OptionSpec } from "../../common/command-line/command.ts";
import type { PeRequest } from "../../tasks/pe/plan.ts";
import { parseDelays, parseInterval, parseMeasures, parseOrders } from "./quantities.ts";

/** Those without which there is no request, and the others. */
export function requestOptions(required: boolean): OptionSpec[] {
  return [
    {
      flags: "--input PATH",
      about: "folder of shards, glob, one HDF5 file, text with a number a line; or s3://bucket/prefix",
      required,
    },
    { flags: "--orders LIST", about: "samples per window, 2 to 9, such as 3-7", required },
    {
      flags: "--delays LIST",
      about: "samples between neighbours, such as 1-10,22-24,90; times with --interval",
      required,
    },
    { flags: "--measures LIST", about: "pe, weighted, complexity, missing", default: "pe" },
    { flags: "--interval TIME", about: "time from one sample to the next, such as 50ps" },
    { flags: "--shards RANGES", about: "half-open ranges over the sorted list of shards, such as 0:40,60:" },
    { flags: "--x RANGE", about: "half-open range of x indices, such as 0:90" },
    { flags: "--y RANGE", about: "half-open range of y indices, such as 0:90" },
  ];
}

/** @throws {PeError} `PE_PARAMETER` */
export function readRequest(given: Given): PeRequest {
  const interval = given.parsed("interval", parseInterval);
  const text = (name: "shards" | "x" | "y"): Partial<PeRequest> => {
    const value = given.text(name);
    return value === undefined ? {} : { [name]: value };
  };
  return {
    input: given.needed("input"),
    orders: parseOrders(given.needed("orders")),
    delays: parseDelays(given.needed("delays"), interval),
    measures: parseMeasures(given.needed("measures")),
    ...text("shards"),
    ...text("x"),
    ...text("y"),
  };
}
