// Compiles the AssemblyScript of this folder and embeds it as kernel/wasm-bytes.ts, which the package carries: no file to
// find at run time, and the bytes are there at once. The same sources give the same bytes; a test compares the hash.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL(".", import.meta.url));
// No runtime and no abort messages: the module never allocates and never throws.
const OPTIONS = "-O3 --converge --noAssert --runtime stub --enable simd --initialMemory 176 --use abort=".split(" ");

async function compileKernel() {
  const written = new Map();
  const writeFile = (name, content) => void written.set(name, content);
  const args = ["index.ts", "--outFile", "kernel.wasm", "--baseDir", folder, ...OPTIONS];
  const { error, stderr } = await asc.main(args, { writeFile });
  if (error !== null) throw new Error(`Cannot compile kernel/assembly: ${error.message}\n${stderr.toString()}`);
  return written.get("kernel.wasm");
}

const bytes = await compileKernel();
const sha256 = createHash("sha256").update(bytes).digest("hex");
if (!process.argv.includes("--dry-run")) {
  const text = [
    "// Made by kernel/assembly/build.mjs; not to be edited.",
    "/** Of the WebAssembly module, lower-case hexadecimal. */",
    `export const WASM_SHA256 = "${sha256}";`,
    "/** The WebAssembly module. */",
    `export const WASM_BASE64 = "${Buffer.from(bytes).toString("base64")}";`,
    "",
  ].join("\n");
  writeFileSync(fileURLToPath(new URL("../wasm-bytes.ts", import.meta.url)), text);
}
console.log(process.argv.includes("--dry-run") ? sha256 : `kernel WebAssembly, sha256 ${sha256}`);
