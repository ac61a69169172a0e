/**
 * Makes the bundle that hosts of a cluster get: the built package and its production dependencies in one tarball, so that a
 * host needs neither npm nor the internet.
 *
 *   npm run pack:cluster
 *   npm run pack:cluster -- --cpu arm64    where hosts have another processor than this machine
 *   npm run pack:cluster -- --as-built     takes dist as it is
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = resolve(HERE, "..");
const { values: given } = parseArgs({
  options: {
    out: { type: "string", default: HERE },
    cpu: { type: "string", default: process.arch },
    libc: { type: "string", default: "glibc" },
    "as-built": { type: "boolean", default: false },
  },
});

const work = mkdtempSync(join(tmpdir(), "pe-pack-"));
try {
  packBundle(join(work, "bundle"), resolve(given.out, "pe-cluster.tgz"));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** What npm would publish, and the dependencies that package-lock.json names, for Linux whatever this machine is. */
function packBundle(folder, target) {
  // Builds by the way, unless told not to: prepack.
  const packed = npmPack(given["as-built"] ? ["--ignore-scripts"] : []);
  run("mkdir", [folder]);
  run("tar", ["-xzf", packed, "-C", folder, "--strip-components=1"]);
  copyFileSync(join(ROOT, "package-lock.json"), join(folder, "package-lock.json"));
  const platform = ["--os=linux", `--cpu=${given.cpu}`, `--libc=${given.libc}`];
  // A peer that is optional, such as a compiler, is none of production.
  const production = ["--omit=dev", "--legacy-peer-deps", "--ignore-scripts"];
  run("npm", ["ci", ...production, ...platform, "--prefer-offline", "--no-audit", "--no-fund", "--silent"], folder);
  const { version, bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  mkdirSync(join(folder, "bin"));
  for (const [name, main] of Object.entries(bin))
    writeFileSync(join(folder, "bin", name), command(main), { mode: 0o755 });
  pack(folder, target);
  process.stdout.write(`${target}: pe-cluster ${version} for Linux on ${given.cpu}\n`);
}

/** What a shell runs: Node is the one that a host has put beside it, else the first in PATH. */
function command(main) {
  return [
    "#!/bin/sh",
    'here=$(dirname "$(dirname "$(readlink -f "$0")")")',
    "node=$here/node",
    '[ -x "$node" ] || node=node',
    `exec "$node" "$here/${main.replace(/^\.\//, "")}" "$@"`,
    "",
  ].join("\n");
}

/** @returns Path of the tarball. */
function npmPack(options) {
  const said = run("npm", ["pack", ...options, "--json", "--pack-destination", work, "--silent"], ROOT);
  return join(work, JSON.parse(said.slice(said.indexOf("[")))[0].filename);
}

/** As of root and in one order, so that equal files make an equal tarball. */
function pack(folder, target) {
  const made = join(work, "made.tgz");
  const equal = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=2000-01-01 00:00Z"];
  const isGnu = run("tar", ["--version"]).includes("GNU");
  run("tar", [...(isGnu ? equal : []), "-czf", made, "-C", folder, "."]);
  renameInto(made, target);
}

/** Whoever reads the target meanwhile has the old one or the new one, whole. */
function renameInto(from, target) {
  const beside = `${target}.${process.pid}.tmp`;
  try {
    copyFileSync(from, beside);
    renameSync(beside, target);
  } finally {
    rmSync(beside, { force: true });
  }
}

function run(program, args, cwd = work) {
  return execFileSync(program, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 << 20,
  });
}
