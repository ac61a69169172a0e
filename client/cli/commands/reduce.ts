/** pe-client reduce: maps from what is computed: a job, a folder of parts, or result files of the original system. */
import { stat } from "node:fs/promises";
import { EXIT, PeError } from "../../../common/errors.ts";
import { counted } from "../../../common/counted.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { isPattern } from "../../../data/glob.ts";
import { isS3Url } from "../../../data/objects/address.ts";
import { findMaps, type Collected } from "../../maps/maps-on-cluster.ts";
import { reduceFolder } from "../../maps/parts-folder-maps.ts";
import { jobsOfFolder } from "../../maps/parts-folder.ts";
import { listResults, mapResults } from "../../maps/result-maps.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { COLLECT_OPTIONS, collectHere, tellMaps } from "../collecting.ts";
import { parseGrid, parseWhole } from "../quantities.ts";
import { withS3Options } from "../s3-options.ts";

const DELAY_MAX = 1_000_000_000;

export const reduce: CommandSpec = withS3Options({
  name: "reduce",
  about:
    "Make maps of what is computed by now: of a job of a scheduler, of a folder of parts, or of result files x,y,pe. " +
    "Cells that are missing are named and no maps are made, unless --partial.",
  argument: {
    name: "what",
    several: true,
    about:
      "id of a job (or its beginning); or folders of parts; or folders, globs or files of results; or s3://bucket/prefix",
  },
  options: [
    { flags: "--output FILE", about: "maps file to make or to merge into, or s3://bucket/key", required: true },
    { flags: "--order N", about: "of result files: their order" },
    { flags: "--delay N", about: "of result files: their delay" },
    { flags: "--grid CELLS", about: "of result files: the grid, such as 251x351 (default: as far as they reach)" },
    { flags: "--job ID", about: "of a folder with parts of several jobs: which (or its beginning)" },
    ...COLLECT_OPTIONS,
    ...CLUSTER_OPTIONS,
    JSON_OPTION,
  ],
  examples: [
    "pe-client reduce 3f2a9c --output maps.hdf5 --partial",
    "pe-client reduce results --order 6 --delay 2 --output maps.hdf5",
    "pe-client reduce s3://lasers/monday s3://lasers/tuesday --output maps.hdf5",
  ],
  run: async (given, console) => {
    const [what, ...others] = given.texts("what") as [string, ...string[]];
    const startMs = performance.now();
    if (others.length === 0 && !(await isPlace(what)))
      return await withCluster(given, console, async (cluster) => {
        const maps = await findMaps(cluster, await findJobId(cluster.client, what));
        return await collectHere(cluster, [maps], { startMs, planMs: 0, now: true }, given, console);
      });
    return await reducePlaces([what, ...others], startMs, given, console);
  },
});

/** Whether it is a folder, a file, a pattern or a prefix of S3, and not a job. */
async function isPlace(what: string): Promise<boolean> {
  return isS3Url(what) || isPattern(what) || (await stat(what).catch(() => undefined)) !== undefined;
}

/** Parts of one place after the other go into the same maps; result files of all places make one map. */
async function reducePlaces(
  places: readonly string[],
  startMs: number,
  given: Given,
  console: Console,
): Promise<number> {
  const withParts: string[] = [];
  for (const place of places) if ((await jobsOfFolder(place)).length > 0) withParts.push(place);
  if (withParts.length === 0) return await reduceResults(places, given, console);
  const other = places.find((place) => !withParts.includes(place));
  if (other !== undefined)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot reduce "${other}" together with "${withParts[0]!}", which holds parts of a job: it does not; reduce them one by one`,
    );
  const collected: Collected[] = [];
  for (const place of withParts)
    collected.push(
      await reduceFolder(place, {
        output: given.needed("output"),
        job: given.text("job") ?? "",
        replace: given.flag("replace"),
        partial: given.flag("partial"),
        startMs,
      }),
    );
  return await tellMaps(collected, given, console);
}

async function reduceResults(places: readonly string[], given: Given, console: Console): Promise<number> {
  const [order, delay] = [
    given.parsed("order", (text) => parseWhole(text, "--order", 2, 9)),
    given.parsed("delay", (text) => parseWhole(text, "--delay", 1, DELAY_MAX)),
  ];
  const paths = new Set<string>();
  for (const place of places) for (const path of await listResults(place)) paths.add(path);
  if (order === undefined || delay === undefined)
    throw new PeError("PE_PARAMETER", "Cannot reduce result files without --order and --delay: they do not say theirs");
  const grid = given.parsed("grid", parseGrid);
  const result = await mapResults({
    paths: [...paths],
    order,
    delay,
    output: given.needed("output"),
    ...(grid !== undefined && { grid }),
    replace: given.flag("replace"),
    partial: given.flag("partial"),
  });
  const { map, output, missing, cells, files } = result;
  const text = [
    `${map} of ${result.grid[0]} x ${result.grid[1]} cells from ${counted(files, "result file")} in ${output}`,
    ...(missing.length === 0 ? [] : [`${missing.length} of ${cells} cells have no line: ${missing.join(" ")}`]),
  ];
  printResult(console, given.flag("json"), result, text.join("\n"));
  return missing.length === 0 ? EXIT.ok : EXIT.dataError;
}
