import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hash } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { httpPartStore } from "../../../data/part-http.ts";
import { openPartStore } from "../../../data/part-store.ts";
import { testFolder } from "../../support/folders.ts";

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

describe("openPartStore()", () => {
  test("of a folder stores, finds and slices parts", async () => {
    const store = openPartStore(pathToFileURL(await testFolder()).href);
    expect([await store.has("a"), await store.get("a")]).toEqual([false, undefined]);
    await store.put("a", BYTES);
    expect(await store.has("a")).toBe(true);
    expect(new Uint8Array((await store.get("a"))!)).toEqual(BYTES);
    const slice = new Uint8Array(10);
    await store.getSlice("a", 100, slice);
    expect(slice).toEqual(BYTES.slice(100, 110));
    await expect(store.getSlice("a", 1030, slice)).rejects.toMatchObject({ code: "PE_RESULTS_UNREADABLE" });
  });

  test("of a folder changes what may change", async () => {
    const store = openPartStore(pathToFileURL(await testFolder()).href);
    const seen: (number | undefined)[] = [];
    const append = (before: Uint8Array | undefined): Uint8Array | undefined => {
      seen.push(before?.byteLength);
      return (before?.byteLength ?? 0) < 2 ? Uint8Array.of(...(before ?? []), 7) : undefined;
    };
    for (let round = 0; round < 3; round++) await store.change("a", append);
    expect(seen).toEqual([undefined, 1, 2]);
    expect([...(await store.get("a"))!]).toEqual([7, 7]);
  });

  test("of a folder takes a part that is cut for none", async () => {
    const folder = await testFolder();
    const store = openPartStore(pathToFileURL(folder).href);
    await store.put("a", BYTES);
    await truncate(join(folder, "a"), 500);
    expect(await store.get("a")).toBeUndefined();
  });

  test("of a folder that is not there, or is a file, makes none", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "file"), "");
    for (const name of ["none", "file"])
      await expect(openPartStore(pathToFileURL(join(folder, name)).href).put("a", BYTES)).rejects.toMatchObject({
        code: "PE_PARTS_UNREACHABLE",
      });
    // What cannot be opened there concerns every part, not the one that is asked for.
    const store = openPartStore(pathToFileURL(join(folder, "file")).href);
    for (const ask of [
      async () => await store.has("a"),
      async () => await store.get("a"),
      async () => await store.getSlice("a", 0, new Uint8Array(1)),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "PE_PARTS_UNREACHABLE" });
  });

  test.each(["http://x/y", "parts", "", "file://host/x", "scheduler:"])("refuses %j", (url) => {
    expect(() => openPartStore(url)).toThrow(/Cannot keep parts/);
  });

  test.each(["../a", "A", "a/b", "", ".a", "a".repeat(129)])("has no part called %j", async (name) => {
    const store = openPartStore(pathToFileURL(await testFolder()).href);
    await expect(store.put(name, BYTES)).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

/** A store over HTTP whose server answers as `handler` does. */
async function served(handler: Handler, retryForMs = 5000) {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => handler(request, response, Buffer.concat(pieces)));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  ending.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const schedulerUrl = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return httpPartStore({ schedulerUrl, token: "secret" }, retryForMs);
}

describe("httpPartStore()", () => {
  test("puts and gets with token and hash", async () => {
    const parts = new Map<string, Buffer>();
    const store = await served((request, response, body) => {
      if (request.headers.authorization !== "Bearer secret") return response.writeHead(401).end();
      const name = request.url!;
      if (request.method === "PUT") {
        expect(request.headers["x-sha256"]).toBe(hash("sha256", body, "hex"));
        parts.set(name, body);
        return response.writeHead(204).end();
      }
      const part = parts.get(name);
      if (part === undefined) return response.writeHead(404).end();
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      if (first !== undefined) return response.writeHead(206).end(part.subarray(Number(first), Number(last) + 1));
      return response.writeHead(200, { "x-sha256": hash("sha256", part, "hex") }).end(part);
    });
    expect([await store.has("a"), await store.get("a")]).toEqual([false, undefined]);
    await store.put("a", BYTES);
    expect(await store.has("a")).toBe(true);
    expect(new Uint8Array((await store.get("a"))!)).toEqual(BYTES);
    const slice = new Uint8Array(5);
    await store.getSlice("a", 7, slice);
    expect(slice).toEqual(BYTES.slice(7, 12));
    await expect(store.getSlice("a", 998, slice)).rejects.toMatchObject({ code: "PE_RESULTS_UNREADABLE" });
  });

  test("tries again what may pass: errors of the server, cut answers, cut connections", async () => {
    let tries = 0;
    const store = await served((_, response) => {
      tries++;
      if (tries === 1) return response.writeHead(503).end();
      if (tries === 2) return response.destroy();
      if (tries === 3) {
        response.writeHead(200, { "content-length": 100 }).write("short");
        return setImmediate(() => response.destroy());
      }
      return response.writeHead(200, { "x-sha256": hash("sha256", BYTES, "hex") }).end(BYTES);
    });
    expect(new Uint8Array((await store.get("a"))!)).toEqual(BYTES);
    expect(tries).toBe(4);
  });

  test("takes bytes that do not have their hash for none", async () => {
    const store = await served((_, response) => response.writeHead(200, { "x-sha256": "00" }).end(BYTES));
    expect(await store.get("a")).toBeUndefined();
  });

  test.each([
    [401, "PE_ACCESS"],
    [413, "PE_OUTPUT_UNWRITABLE"],
    [507, "PE_DISK_FULL"],
    [404, "PE_OUTPUT_UNWRITABLE"],
  ])("says at once what status %i of a PUT means", async (status, code) => {
    const store = await served((_, response) => response.writeHead(status).end());
    await expect(store.put("a", BYTES)).rejects.toMatchObject({ code });
  });

  test("gives up after its time", async () => {
    const store = await served((_, response) => response.writeHead(500).end(), 150);
    await expect(store.put("a", BYTES)).rejects.toMatchObject({ code: "PE_CONNECTION" });
  });
});
