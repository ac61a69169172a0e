/** pe-client tasks: a task list in the layout of the original system. */
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { parseRanges, rangesInclude } from "../../../common/ranges.ts";
import { listInput } from "../../../data/inputs.ts";
import { formatTaskLines } from "../../../data/result-text.ts";
import { taskLines } from "../../maps/task-list.ts";
import { parseDelays, parseInterval, parseOrders } from "../quantities.ts";
import { withS3Options } from "../s3-options.ts";

export const tasks: CommandSpec = withS3Options({
  name: "tasks",
  about:
    "Print a task list: a line order TAB delay TAB infile TAB outfile for each shard, as pe-client submit --task-file " +
    "and the original system take it.",
  options: [
    { flags: "--input PATH", about: "folder of shards, glob, one file, or s3://bucket/prefix", required: true },
    { flags: "--orders LIST", about: "such as 6 or 3-7", required: true },
    { flags: "--delays LIST", about: "such as 2 or 1-10,90; times with --interval", required: true },
    {
      flags: "--output DIR",
      about:
        "folder or s3://bucket/prefix of the result files; a folder below it for each order and delay if there are several",
      required: true,
    },
    { flags: "--interval TIME", about: "time from one sample to the next, such as 50ps" },
    { flags: "--shards RANGES", about: "half-open ranges over the sorted list of shards, such as 0:40,60:" },
    JSON_OPTION,
  ],
  examples: ["pe-client tasks --input shards --orders 6 --delays 2 --output results > tasks-m06t02.txt"],
  run: async (given, console) => {
    const input = await listInput(given.needed("input"));
    const ranges = parseRanges(given.text("shards") ?? "0:", input.files.length, "--shards");
    const files = input.files.filter((_, ordinal) => rangesInclude(ranges, ordinal));
    const lines = taskLines(
      { ...input, files },
      {
        orders: parseOrders(given.needed("orders")),
        delays: parseDelays(given.needed("delays"), given.parsed("interval", parseInterval)),
        output: given.needed("output"),
      },
    );
    console.stdout(given.flag("json") ? `${JSON.stringify(lines, undefined, 2)}\n` : formatTaskLines(lines));
    return EXIT.ok;
  },
});
