/** pe-client inspect: what is in a maps file, a shard, or a folder of shards. */
import { EXIT, PeError, type ErrorRecord } from "../../../common/errors.ts";
import { counted } from "../../../common/counted.ts";
import { sourceOf } from "../../../data/input-object.ts";
import { listInput, type Input } from "../../../data/inputs.ts";
import { readMaps, type Maps } from "../../../data/maps.ts";
import { readSeriesText } from "../../../data/series-text.ts";
import { openShard } from "../../../data/shard.ts";
import { surveyShards } from "../../../tasks/pe/grid.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { withS3Options } from "../s3-options.ts";

/** Series of one file, or files of one folder, told one by one. */
const LINES_MAX = 100;

interface Finding {
  readonly record: unknown;
  readonly text: string;
  readonly problems: readonly ErrorRecord[];
}

export const inspect: CommandSpec = withS3Options({
  name: "inspect",
  about: "List what is in a maps file, a shard, a text series, or a folder of shards.",
  argument: { name: "path", about: "a file, folder or glob, or s3://bucket/prefix" },
  options: [JSON_OPTION],
  examples: ["pe-client inspect maps.hdf5", "pe-client inspect shards"],
  run: async (given, console) => {
    const { record, text, problems } = await look(given.needed("path"));
    printResult(console, given.flag("json"), record, text);
    return problems.length === 0 ? EXIT.ok : EXIT.dataError;
  },
});

async function look(path: string): Promise<Finding> {
  const maps = await asMaps(path);
  if (maps !== undefined) return lookAtMaps(path, maps);
  const input = await listInput(path);
  switch (input.kind) {
    case "text":
      return await lookAtText(input);
    case "hdf5":
      return await lookAtShard(input);
    case "shards":
      return await lookAtFolder(input);
  }
}

/** A file is maps or a shard by what it holds; whatever cannot be read as maps is looked at as input. */
async function asMaps(path: string): Promise<Maps | undefined> {
  try {
    return await readMaps(path);
  } catch (error) {
    if (error instanceof PeError) return undefined;
    throw error;
  }
}

function lookAtMaps(path: string, maps: Maps): Finding {
  try {
    const { xSize, ySize } = maps;
    const rows = maps.maps.map(({ attributes, ...info }) => info);
    const lines = rows.map(({ name, order, delay, measure, cellsDone, cellsFailed, sourceDigest }) =>
      [
        name.padEnd(20),
        `order ${order}, delay ${delay}, ${measure}`,
        cellsDone === undefined
          ? ""
          : `${cellsDone} of ${xSize * ySize} cells done${cellsFailed ? `, ${cellsFailed} of them without a value` : ""}`,
        sourceDigest === undefined ? "source unknown" : `source ${sourceDigest.slice(0, 12)}`,
      ]
        .filter((part) => part !== "")
        .join("  "),
    );
    return {
      record: {
        kind: "maps",
        path,
        grid: [xSize, ySize],
        maps: rows,
        sources: maps.sources.map(({ digest, shards }) => ({ digest, shards: shards.length })),
      },
      text: [`maps file ${path}: ${counted(rows.length, "map")} of ${xSize} x ${ySize} cells`, ...lines].join("\n"),
      problems: [],
    };
  } finally {
    maps.close();
  }
}

async function lookAtText({ files: [file] }: Input): Promise<Finding> {
  const series = await readSeriesText(file!.path);
  const type = series.constructor.name.replace("Array", "").toLowerCase();
  return {
    record: { kind: "text", path: file!.path, samples: series.length, type },
    text: `text series ${file!.path}: ${series.length} samples, ${type}`,
    problems: [],
  };
}

async function lookAtShard({ files: [file] }: Input): Promise<Finding> {
  const shard = await openShard(file!.name, await sourceOf(file!));
  try {
    const { attributes, series, problems } = shard;
    const lines = series
      .slice(0, LINES_MAX)
      .map(
        ({ dataset, x, y, xVariable, yVariable, length }) =>
          `${dataset.padEnd(16)}  cell (${x}, ${y})  variables (${variable(xVariable)}, ${variable(yVariable)})  ${length} samples`,
      );
    return {
      record: { kind: "shard", path: file!.path, bytes: file!.bytes, attributes, series, problems },
      text: [
        `shard ${file!.path}: ${series.length} series, ${counted(problems.length, "problem")}`,
        ...lines,
        ...more(series.length),
        ...problems.map(describe),
      ].join("\n"),
      problems,
    };
  } finally {
    shard.close();
  }
}

async function lookAtFolder(input: Input): Promise<Finding> {
  const { grid, length, unreadable } = await surveyShards(input);
  const problems = [...unreadable.values()];
  const bytes = input.files.reduce((sum, file) => sum + file.bytes, 0);
  return {
    record: {
      kind: "shards",
      root: input.root,
      files: input.files.length,
      bytes,
      grid: [grid.xSize, grid.ySize],
      shardSize: grid.shardSize,
      samples: length,
      shards: input.files.map(({ name }, ordinal) => ({ ordinal, name })),
      problems,
    },
    text: [
      `${counted(input.files.length, "shard")} in ${input.root}: grid ${grid.xSize} x ${grid.ySize}, series of ${length} samples, ${bytes} bytes`,
      ...input.files.slice(0, LINES_MAX).map(({ name }, ordinal) => `${String(ordinal).padStart(5)}  ${name}`),
      ...more(input.files.length),
      ...problems.map(describe),
    ].join("\n"),
    problems,
  };
}

function variable(value: number): string {
  return Number.isNaN(value) ? "unknown" : String(Number(value.toPrecision(6)));
}

function more(count: number): string[] {
  return count > LINES_MAX ? [`... and ${count - LINES_MAX} more (--json has them all)`] : [];
}

function describe({ code, message }: ErrorRecord): string {
  return `problem: ${message} [${code}]`;
}
