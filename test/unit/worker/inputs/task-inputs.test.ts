import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeValue } from "../../../../protocol/values.ts";
import { encodeJobCommon } from "../../../../tasks/job-common.ts";
import { PE_VERSION } from "../../../../tasks/pe/version.ts";
import { createKinds } from "../../../../tasks/registry.ts";
import { joinPieces } from "../../../../worker/threads/frame.ts";
import type { TasksToName } from "../../../../worker/inputs/reader-messages.ts";
import { TaskInputs } from "../../../../worker/inputs/task-inputs.ts";
import { testFolder } from "../../../support/folders.ts";

function tasksOf(
  kind: string,
  version: string | undefined,
  common: unknown,
  parameters: readonly unknown[],
): TasksToName {
  const encoded = encodeJobCommon({ parts: null, common });
  const bytes = new SharedArrayBuffer(encoded.byteLength);
  new Uint8Array(bytes).set(encoded);
  return {
    kind,
    version,
    common: { number: 0, bytes },
    parameters: joinPieces(parameters.map((value) => encodeValue(value))),
  };
}

const peCommon = (root: string) => {
  return { orders: [3], delays: [1], measures: ["pe"], length: 100, format: "hdf5", root };
};
const peTask = (name: string, shared = false) => ({
  file: { name, bytes: 5, modifiedMs: 1 },
  rows: { start: 0 },
  shared,
});

describe("TaskInputs", () => {
  test("names the shards of pe tasks where they lie for this worker", async () => {
    const inputs = new TaskInputs([]);
    const named = await inputs.name(tasksOf("pe", PE_VERSION, peCommon("/in"), [peTask("a"), peTask("b/c", true)]));
    expect(named).toEqual([
      { file: { name: "a", path: "/in/a", bytes: 5, modifiedMs: 1 }, shared: false },
      { file: { name: "b/c", path: "/in/b/c", bytes: 5, modifiedMs: 1 }, shared: true },
    ]);
    const onS3 = await new TaskInputs([]).name(tasksOf("pe", PE_VERSION, peCommon("s3://b/x y/"), [peTask("a")]));
    expect(onS3[0]!.file.path).toBe("s3://b/x y/a");
  });

  test("names nothing of a task whose parameters do not fit, nor of another version, and leaves the saying to the task", async () => {
    const named = await new TaskInputs([]).name(tasksOf("pe", PE_VERSION, peCommon("/in"), [{ rows: 1 }, peTask("b")]));
    expect(named.map(({ file }) => file.name)).toEqual(["b"]);
    expect(await new TaskInputs([]).name(tasksOf("pe", "another", peCommon("/in"), [peTask("a")]))).toEqual([]);
    expect(await new TaskInputs([]).name(tasksOf("pe", PE_VERSION, { root: 1 }, [peTask("a")]))).toEqual([]);
  });

  test("asks kinds of users too, and takes one that throws for one that names nothing", async () => {
    const folder = await testFolder();
    const text = `export default () => ({ name: "mine", version: "1", run() {}, inputs({ file }) {
      if (file === undefined) throw new Error("no file");
      return [{ file, shared: true }];
    } });`;
    await writeFile(join(folder, "mine.js"), text);
    const kinds = await createKinds({ folders: [folder] });
    const { version, namesInputs } = kinds.list().find(({ name }) => name === "mine")!;
    expect(namesInputs).toBe(true);
    const file = { name: "a", path: "/a", bytes: 1, modifiedMs: 1 };
    expect(await new TaskInputs([folder]).name(tasksOf("mine", version, {}, [{}, { file }]))).toEqual([
      { file, shared: true },
    ]);
  });
});
