import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { defaultAccessFile, parseAccess, readAccess } from "../../../protocol/access-file.ts";
import { testFolder } from "../../support/folders.ts";

const CLIENT = "client-token-0123456789";
const WORKER = "worker-token-0123456789";
const CA = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
const PLAIN = { url: "ws://127.0.0.1:8786", clientToken: CLIENT, workerToken: WORKER };
const SECURE = { url: "wss://lab.example:8786", clientToken: CLIENT, workerToken: WORKER, ca: CA };

async function written(access: unknown, mode = 0o600): Promise<string> {
  const file = join(await testFolder(), "access.json");
  writeFileSync(file, typeof access === "string" ? access : JSON.stringify(access), { mode });
  chmodSync(file, mode);
  return file;
}

describe("readAccess()", () => {
  test("gives each role its own token, with address and certificate", async () => {
    const file = await written(SECURE);
    expect(await readAccess({ role: "client", file })).toEqual({ url: SECURE.url, token: CLIENT, ca: CA });
    expect((await readAccess({ role: "worker", file })).token).toBe(WORKER);
  });

  test("finds the file that PE_ACCESS_FILE names, or that of the port", async () => {
    const file = await written(PLAIN);
    const named = await readAccess({ role: "client", environment: { PE_ACCESS_FILE: file } });
    expect(named).toEqual({ url: PLAIN.url, token: CLIENT, ca: undefined });
    const environment = { XDG_STATE_HOME: "/state" };
    expect(defaultAccessFile(undefined, environment)).toBe("/state/pe-cluster/access-8786.json");
    await expect(readAccess({ role: "client", url: "ws://127.0.0.1:99", environment })).rejects.toThrow(
      'Cannot use the access file "/state/pe-cluster/access-99.json": there is no such file; start pe-scheduler on this ' +
        "machine, or copy the access file of the scheduler for ws://127.0.0.1:99 here and name it with --access-file",
    );
    await expect(readAccess({ role: "client", environment: { PE_ACCESS_FILE: "/none" } })).rejects.toThrow(
      /no such file, which PE_ACCESS_FILE names/,
    );
  });

  test("lets an address override the one in the file, for a tunnel", async () => {
    const plain = await written(PLAIN);
    const secure = await written(SECURE);
    const urlOf = async (file: string, url: string): Promise<string> =>
      (await readAccess({ role: "client", file, url })).url;
    expect(await urlOf(plain, "ws://127.0.0.1:9000")).toBe("ws://127.0.0.1:9000");
    expect(await urlOf(secure, "wss://localhost:9000/")).toBe("wss://localhost:9000");
    expect(await urlOf(secure, "localhost:9000")).toBe("wss://localhost:9000");
    expect(await urlOf(secure, "ws://[::1]:9000")).toBe("ws://[::1]:9000");
    expect(await urlOf(plain, "[::1]")).toBe("ws://[::1]:8786");
  });

  test("sends no token of a file with a certificate through the clear", async () => {
    const file = await written(SECURE);
    await expect(readAccess({ role: "client", file, url: "ws://lab.example:8786" })).rejects.toMatchObject({
      code: "PE_PARAMETER",
      message: expect.stringContaining("write wss://lab.example:8786") as string,
    });
  });

  test.each(["http://a:1", "ws://", "ws://a:1/path", "ws://user@a:1", "ws://a:99999", "a b", "wss://a?x=1"])(
    "refuses the address %s",
    async (url) => {
      const file = await written(PLAIN);
      await expect(readAccess({ role: "client", file, url })).rejects.toMatchObject({ code: "PE_PARAMETER" });
    },
  );

  test("refuses a file that others may read", async () => {
    const file = await written(PLAIN, 0o640);
    await expect(readAccess({ role: "client", file })).rejects.toThrow(
      `others may read it (mode 640); run: chmod 600 "${file}"`,
    );
  });

  test("says which token a file lacks", async () => {
    const file = await written({ url: PLAIN.url, workerToken: WORKER });
    expect((await readAccess({ role: "worker", file })).token).toBe(WORKER);
    await expect(readAccess({ role: "client", file })).rejects.toThrow(/it has no token for a client/);
  });

  test("refuses a folder and a file of another sort", async () => {
    await expect(readAccess({ role: "client", file: await testFolder() })).rejects.toMatchObject({ code: "PE_ACCESS" });
    const file = await written("x".repeat(100_000));
    await expect(readAccess({ role: "client", file })).rejects.toThrow(/100000 bytes, too many/);
  });
});

describe("parseAccess()", () => {
  test.each([
    ["{", /it is no JSON$/],
    ["null", /no JSON object/],
    ["{}", /its url is not of the form/],
    [JSON.stringify({ ...PLAIN, url: "https://a" }), /its url is not of the form/],
    [JSON.stringify({ ...PLAIN, clientToken: "short" }), /its clientToken is not 16 to 256/],
    [JSON.stringify({ ...PLAIN, workerToken: 7 }), /its workerToken is not 16 to 256/],
    [JSON.stringify({ ...PLAIN, ca: "no" }), /its ca is no certificate/],
  ])("refuses %s", (text, reason) => {
    expect(() => parseAccess(text, "here")).toThrow(reason);
    expect(() => parseAccess(text, "here")).toThrow(/^Cannot use the access file "here": /);
  });

  test("says nothing of a token in an error", () => {
    let said = "";
    try {
      parseAccess(JSON.stringify({ ...PLAIN, clientToken: "secret secret secret" }), "here");
    } catch (error) {
      said = String(error);
    }
    expect(said).toMatch(/clientToken is not/);
    expect(said).not.toContain("secret");
  });
});
