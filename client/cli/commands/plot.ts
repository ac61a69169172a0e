/** pe-client plot: one figure of a maps file, as SVG or PNG. */
import { extname } from "node:path";
import { EXIT, PeError } from "../../../common/errors.ts";
import type { Measure } from "../../../data/maps.ts";
import { readMaps, type Maps } from "../../../data/maps.ts";
import { writePlace } from "../../../data/result-place.ts";
import { COLOUR_TABLES, svgToPng, type ColourTable } from "../../../plot/index.ts";
import { mapFigure, scanFigure, sheetFigure, type FigureOptions } from "../../maps/figures.ts";
import { JSON_OPTION, type CommandSpec, type Given, type OptionSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { parseCell, parseDelays, parseInterval, parseMeasures, parseOrders, parseSpan } from "../quantities.ts";
import { withS3Options } from "../s3-options.ts";

/** What a figure may be told, also by other commands that draw. */
export const FIGURE_OPTIONS: readonly OptionSpec[] = [
  { flags: "--interval TIME", about: "time from one sample to the next, such as 50ps: shows delays as times" },
  { flags: "--x-label TEXT", about: 'label of the x axis with its unit, such as "Pump current (mA)"' },
  { flags: "--y-label TEXT", about: "label of the y axis with its unit" },
  { flags: "--colours NAME", about: `${COLOUR_TABLES.join(", ")} (default: viridis)` },
  { flags: "--range MIN:MAX", about: "range of the colours (default: that of the values)" },
  { flags: "--note TEXT", about: "a line below the figure" },
];

export const plot: CommandSpec = withS3Options({
  name: "plot",
  about: "Draw a map, a sheet of all maps, or the delay scan of one cell, as SVG or PNG.",
  argument: { name: "maps", about: "a maps file, or s3://bucket/key" },
  options: [
    { flags: "--output FILE", about: "picture to write: .svg or .png", required: true },
    { flags: "--map NAME", about: "draw this map, such as m005t001 (default: a sheet of all)" },
    { flags: "--scan X,Y", about: "draw entropy against delay at this cell, all orders" },
    { flags: "--measure NAME", about: "measure of a sheet or scan", default: "pe" },
    { flags: "--orders LIST", about: "orders of a sheet, such as 3-5 (default: all)" },
    { flags: "--delays LIST", about: "delays of a sheet in samples, such as 1,45,90 (default: all)" },
    ...FIGURE_OPTIONS,
    JSON_OPTION,
  ],
  examples: [
    "pe-client plot maps.hdf5 --map m005t001 --output map.svg",
    "pe-client plot maps.hdf5 --scan 12,7 --interval 50ps --output scan.png",
  ],
  run: async (given, console) => {
    const output = given.needed("output");
    const format = extname(output).toLowerCase();
    if (format !== ".svg" && format !== ".png")
      throw new PeError("PE_PARAMETER", `Cannot write a picture to "${output}": its name must end in .svg or .png`);
    const maps = await readMaps(given.needed("maps"));
    try {
      const svg = draw(maps, given);
      await writePlace(output, format === ".svg" ? new TextEncoder().encode(svg) : svgToPng(svg, { scale: 2 }));
    } finally {
      maps.close();
    }
    printResult(console, given.flag("json"), { output }, `wrote ${output}`);
    return EXIT.ok;
  },
});

function draw(maps: Maps, given: Given): string {
  const options = readFigureOptions(given);
  const cell = given.parsed("scan", (text) => parseCell(text, "--scan"));
  const name = given.text("map");
  const measure = parseMeasures(given.needed("measure"))[0]!;
  if (name !== undefined && cell !== undefined)
    throw new PeError("PE_PARAMETER", "Cannot draw --map and --scan in one figure: give one of them");
  if (cell !== undefined && (given.has("range") || given.has("colours")))
    throw new PeError("PE_PARAMETER", "Cannot draw --scan with --range or --colours: they colour maps; leave them out");
  if (cell !== undefined) return scanFigure(maps, cell, measure, options);
  return name === undefined ? drawSheet(maps, measure, given, options) : mapFigure(maps, name, options);
}

/** More panels than this are too small to be read on one page. */
const SHEET_MAPS_MAX = 100;

function drawSheet(maps: Maps, measure: Measure, given: Given, options: FigureOptions): string {
  const orders = given.parsed("orders", parseOrders);
  const delays = given.parsed("delays", (text) => parseDelays(text, undefined));
  const names = maps.maps
    .filter((info) => info.measure === measure)
    .filter(({ order, delay }) => (orders?.includes(order) ?? true) && (delays?.includes(delay) ?? true))
    .map(({ name }) => name);
  if (names.length === 0 || names.length > SHEET_MAPS_MAX) {
    const found =
      names.length === 0 ? "the file has no such map" : `${names.length} maps are more than ${SHEET_MAPS_MAX}`;
    const advice = "choose with --orders and --delays; pe-client inspect lists the maps";
    throw new PeError("PE_PARAMETER", `Cannot draw a sheet of measure ${measure}: ${found}; ${advice}`);
  }
  return sheetFigure(maps, measure, names, options);
}

export function readFigureOptions(given: Given): FigureOptions {
  const [xLabel, yLabel, note] = [given.text("x-label"), given.text("y-label"), given.text("note")];
  const interval = given.parsed("interval", parseInterval);
  const range = given.parsed("range", (text) => parseSpan(text, "--range"));
  const colours = given.parsed("colours", parseColours);
  return {
    ...(xLabel !== undefined && { xLabel }),
    ...(yLabel !== undefined && { yLabel }),
    ...(note !== undefined && { note }),
    ...(interval !== undefined && { intervalSeconds: interval }),
    ...(range !== undefined && { range }),
    ...(colours !== undefined && { colours }),
  };
}

function parseColours(text: string): ColourTable {
  const table = COLOUR_TABLES.find((name) => name === text);
  if (table === undefined)
    throw new PeError("PE_PARAMETER", `Cannot read --colours ${text}: expected one of ${COLOUR_TABLES.join(", ")}`);
  return table;
}
