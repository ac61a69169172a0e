import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chosenAccessFile } from "../../../../client/cli/cluster-choice.ts";
import { clusterFiles, clusterFolder } from "../../../../client/engines/cluster-record.ts";
import { Given } from "../../../../common/command-line/command.ts";
import { testFolder } from "../../../support/folders.ts";

const TOKENS = { clientToken: "c".repeat(20), workerToken: "w".repeat(20) };

/** A user with these clusters. */
async function userWith(...names: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const environment = { XDG_STATE_HOME: await testFolder() };
  for (const name of names) {
    const folder = clusterFolder(name, environment);
    mkdirSync(folder, { recursive: true });
    writeFileSync(clusterFiles(folder).record, JSON.stringify({ version: 1, engine: "local" }));
    writeAccess(clusterFiles(folder).access, "ws://127.0.0.1:1");
  }
  return environment;
}

function writeAccess(path: string, url: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, JSON.stringify({ url, ...TOKENS }), { mode: 0o600 });
}

function given(options: Readonly<Record<string, string>> = {}): Given {
  return new Given(Object.entries(options));
}

function accessOf(name: string, environment: NodeJS.ProcessEnv): string {
  return clusterFiles(clusterFolder(name, environment)).access;
}

describe("chosenAccessFile()", () => {
  test("is that of the only cluster, unless something else is named", async () => {
    const environment = await userWith("one");
    expect(await chosenAccessFile(given(), environment)).toBe(accessOf("one", environment));
    expect(await chosenAccessFile(given({ "access-file": "a.json" }), environment)).toBe("a.json");
    expect(await chosenAccessFile(given({ scheduler: "localhost:8786" }), environment)).toBeUndefined();
    expect(await chosenAccessFile(given(), { ...environment, PE_ACCESS_FILE: "b.json" })).toBeUndefined();
  });

  test("is the default one where there is no cluster, or only one that was stopped", async () => {
    const environment = await userWith();
    mkdirSync(clusterFolder("stopped", environment), { recursive: true });
    expect(await chosenAccessFile(given(), environment)).toBeUndefined();
  });

  test("asks which of several is meant", async () => {
    const environment = await userWith("two", "one");
    await expect(chosenAccessFile(given(), environment)).rejects.toThrow(/there are one, two; name one with --cluster/);
    expect(await chosenAccessFile(given({ cluster: "two" }), environment)).toBe(accessOf("two", environment));
    await expect(chosenAccessFile(given({ cluster: "three" }), environment)).rejects.toMatchObject({
      code: "PE_CLUSTER_UNKNOWN",
      message: expect.stringContaining("there are one, two") as string,
    });
    const both = given({ cluster: "two", "access-file": "a.json" });
    await expect(chosenAccessFile(both, environment)).rejects.toThrow(/--cluster and --access-file together/);
  });

  test("asks whether the scheduler is meant that somebody started by hand, while that one runs", async () => {
    const environment = await userWith("one");
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    writeAccess(join(environment["XDG_STATE_HOME"]!, "pe-cluster", "access-8786.json"), `ws://127.0.0.1:${port}`);
    await expect(chosenAccessFile(given(), environment)).rejects.toThrow(/add --cluster one, or --scheduler ws:/);
    server.close();
    await once(server, "close");
    expect(await chosenAccessFile(given(), environment)).toBe(accessOf("one", environment));
  });
});
