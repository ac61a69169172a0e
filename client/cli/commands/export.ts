/** pe-client export: one map as text, CSV or JSON. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { knownNames } from "../../../common/nearest.ts";
import { isHdf5File } from "../../../data/inputs.ts";
import { readMaps, type Maps } from "../../../data/maps.ts";
import { writePlace } from "../../../data/result-place.ts";
import { formatResults, type ResultLine } from "../../../data/result-text.ts";
import type { CommandSpec } from "../../../common/command-line/command.ts";
import type { Console } from "../../../common/command-line/console.ts";
import { withS3Options } from "../s3-options.ts";

const FORMATS = ["text", "csv", "json"] as const;
type Format = (typeof FORMATS)[number];

export const exportMap: CommandSpec = withS3Options({
  name: "export",
  about: "Write one map as text (lines x,y,value of the cells that have a value), CSV with a head, or JSON.",
  argument: { name: "maps", about: "a maps file, or s3://bucket/key" },
  options: [
    { flags: "--map NAME", about: "the map, such as m005t001", required: true },
    { flags: "--format FORMAT", about: FORMATS.join(", "), default: "text" },
    { flags: "--output FILE", about: "file to write (default: stdout)" },
  ],
  examples: ["pe-client export maps.hdf5 --map m005t001 --format csv > m005t001.csv"],
  run: async (given, console) => {
    const format = parseFormat(given.needed("format"));
    const maps = await readMaps(given.needed("maps"));
    let text: string;
    try {
      text = formatMap(maps, given.needed("map"), format);
    } finally {
      maps.close();
    }
    const output = given.text("output");
    if (output === undefined) console.stdout(text);
    else await write(output, text, console);
    return EXIT.ok;
  },
});

/** Maps and shards are hours of work: text never takes their place. */
async function write(output: string, text: string, console: Console): Promise<void> {
  if (await isHdf5File(output))
    throw new PeError(
      "PE_OUTPUT_UNWRITABLE",
      `Cannot write text to "${output}": it is an HDF5 file; name another output`,
    );
  await writePlace(output, new TextEncoder().encode(text));
  console.stderr(`wrote ${output}\n`);
}

function parseFormat(text: string): Format {
  const format = FORMATS.find((name) => name === text);
  if (format === undefined)
    throw new PeError("PE_PARAMETER", `Cannot read --format ${text}: expected one of ${FORMATS.join(", ")}`);
  return format;
}

function formatMap(maps: Maps, name: string, format: Format): string {
  const info = maps.maps.find((map) => map.name === name);
  if (info === undefined)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot export map "${name}": the file has ${knownNames(
        name,
        maps.maps.map((map) => map.name),
      )}`,
    );
  const values = maps.values(name);
  switch (format) {
    case "text":
      return formatResults(cellsOf(maps, values).filter(({ value }) => !Number.isNaN(value)));
    case "csv":
      return formatCsv(maps, values);
    case "json": {
      const { order, delay, measure } = info;
      const rows = Array.from({ length: maps.xSize }, (_, x) =>
        Array.from(values.subarray(x * maps.ySize, (x + 1) * maps.ySize), finiteOrNull),
      );
      const coordinates = maps.coordinates();
      const variables = coordinates && {
        x_variables: Array.from(coordinates.x, finiteOrNull),
        y_variables: Array.from(coordinates.y, finiteOrNull),
      };
      return `${JSON.stringify({ name, order, delay, measure, x_size: maps.xSize, y_size: maps.ySize, ...variables, values: rows })}\n`;
    }
  }
}

function cellsOf({ ySize }: Maps, values: Float64Array): ResultLine[] {
  return Array.from(values, (value, cell) => ({ x: Math.floor(cell / ySize), y: cell % ySize, value }));
}

function formatCsv(maps: Maps, values: Float64Array): string {
  const coordinates = maps.coordinates();
  const numberText = (number: number | undefined): string =>
    number === undefined || Number.isNaN(number) ? "" : String(number);
  const lines = cellsOf(maps, values).map(({ x, y, value }, cell) =>
    [x, y, numberText(coordinates?.x[cell]), numberText(coordinates?.y[cell]), numberText(value)].join(","),
  );
  return `${["x,y,x_variable,y_variable,value", ...lines].join("\n")}\n`;
}

/** JSON has no NaN. */
function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
