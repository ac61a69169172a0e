/**
 * The tree is the architecture: who may import whom, what stays out of the pure rooms, and which package is imported in
 * which one file. Reads the sources as text.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Room -> rooms it may import, besides itself. A room that is missing here may not exist. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  common: [],
  protocol: ["common"],
  kernel: ["common"],
  data: ["common"],
  plot: ["common"],
  tasks: ["common", "protocol", "kernel", "data", "plot"],
  scheduler: ["common", "protocol", "data"],
  worker: ["common", "protocol", "data", "tasks"],
  client: ["common", "protocol", "kernel", "data", "plot", "tasks", "scheduler", "worker"],
  "index.ts": ["common", "kernel", "plot", "client"],
  examples: ["index.ts"],
};
/** Rooms that may import anything. */
const FREE = new Set(["bench", "test"]);

/** Package -> the one file that imports it. */
const ONE_PLACE: Readonly<Record<string, string>> = {
  piscina: "worker/threads/pool.ts",
  msgpackr: "protocol/packing.ts",
  "msgpackr/pack": "protocol/packing.ts",
  ws: "protocol/socket.ts",
  commander: "common/command-line/program.ts",
  "@aws-sdk/client-s3": "data/objects/s3-connection.ts",
  "@smithy/core/config": "data/objects/s3-connection.ts",
  h5wasm: "data/hdf5/library.ts",
  "h5wasm/node": "data/hdf5/library.ts",
  "@resvg/resvg-js": "plot/raster.ts",
  "d3-scale": "plot/scale.ts",
  "d3-scale-chromatic": "plot/colours.ts",
  tinybench: "bench/measure.ts",
};

/** Rooms without I/O, clocks and chance. */
const PURE = ["kernel", "scheduler/core", "worker/core"];
const IMPURE = /from "node:|\bDate\b|\bsetTimeout\b|\bsetInterval\b|\bperformance\b|Math\.random|\bprocess\./;

interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => /\.m?ts$/.test(path) && !/^(node_modules|dist|dist-bench|kernel\/assembly)\/|^vitest/.test(path))
  .map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name!);
    return { path, room: path.split("/")[0]!, text, imports };
  });
const product = files.filter(({ room }) => !FREE.has(room));

/** Room of a relative import. */
function roomOf(file: SourceFile, imported: string): string {
  return normalize(join(dirname(file.path), imported)).split("/")[0]!;
}

describe("the tree", () => {
  test("has no room without a floor", () => {
    for (const { room } of product) expect(Object.keys(MAY_IMPORT)).toContain(room);
  });

  test("has no import that goes up a floor or across one", () => {
    const crossing = product.flatMap((file) =>
      file.imports
        .filter((name) => name.startsWith("."))
        .map((name) => roomOf(file, name))
        .filter((room) => room !== file.room && !MAY_IMPORT[file.room]?.includes(room))
        .map((room) => `${file.path} imports ${room}`),
    );
    expect(crossing).toEqual([]);
  });

  test("has no file that imports a main", () => {
    const importing = files.filter(({ imports }) => imports.some((name) => name.endsWith("/main.ts")));
    expect(importing.map(({ path }) => path)).toEqual([]);
  });

  test("knows entropy in kernel and tasks/pe alone, below the client", () => {
    const knowing = product.filter(
      ({ path, text }) =>
        /^(common|worker|scheduler|protocol)\//.test(path) && /entrop|ordinal pattern|permutation/i.test(text),
    );
    expect(knowing.map(({ path }) => path)).toEqual([]);
  });

  test("imports each package with a place of its own in that place", () => {
    const elsewhere = files.flatMap(({ path, room, imports }) =>
      imports
        .filter((name) => name in ONE_PLACE && ONE_PLACE[name] !== path && room !== "test")
        .map((name) => `${path} imports ${name}, which belongs to ${ONE_PLACE[name]}`),
    );
    expect(elsewhere).toEqual([]);
  });

  test("keeps I/O, clocks and chance out of the pure rooms", () => {
    const impure = product.filter(
      ({ path }) => PURE.some((room) => path.startsWith(`${room}/`)) && !path.endsWith(".mjs"),
    );
    expect(impure.filter(({ text }) => IMPURE.test(withoutComments(text))).map(({ path }) => path)).toEqual([]);
  });

  test("imports TypeScript by its real name, packages and Node by theirs", () => {
    const odd = files.flatMap(({ path, imports }) =>
      imports
        .filter((name) => name.startsWith(".") && !/\.(ts|mjs|json)$/.test(name) && !/dist/.test(name))
        .map((name) => `${path} imports ${name}`),
    );
    expect(odd).toEqual([]);
  });

  test("names no folder after a kind of syntax", () => {
    const folders = new Set(product.flatMap(({ path }) => relative(".", dirname(path)).split("/")));
    for (const name of ["types", "utils", "helpers", "interfaces", "lib"]) expect(folders).not.toContain(name);
  });
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/\/\/.*$/gm, "");
}
