/**
 * Whatever anybody sends to a scheduler at work is refused with a clear error, and nothing of the work is lost: the job that
 * runs beside all of it gives the maps of an undisturbed run.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Random } from "../../common/random.ts";
import { clientToScheduler, schedulerToClient } from "../../protocol/client-link.ts";
import { encodeFrame, FRAME_BYTES_MAX } from "../../protocol/codec.ts";
import { connectSocket } from "../../protocol/socket.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { HOOK_MS } from "../support/client.ts";
import { endsOf, FaultCluster } from "../support/cluster-faults.ts";
import {
  expectUndisturbed,
  makeMaps,
  submitMaps,
  untilFinished,
  type FaultMaps,
  type SubmittedMaps,
} from "../support/cluster-maps.ts";
import { eventually } from "../support/cluster-programs.ts";
import { RawClient } from "../support/raw-client.ts";
import { column, needsOf, OPTIONS } from "../support/scheduler-under-test.ts";

const SEED = 20_260;
const RANDOM_FRAMES = 60;
const RANDOM_BYTES_MAX = 400;

let maps: FaultMaps;
let cluster: FaultCluster;
let submitted: SubmittedMaps;

beforeAll(async () => {
  maps = await makeMaps("1-8");
}, HOOK_MS);

// One cluster and one job for each test, at work while the test does its worst.
beforeEach(async () => {
  cluster = await FaultCluster.start({ workers: ["a"] });
  submitted = submitMaps(cluster, maps);
  await untilFinished(cluster, 2);
});

afterEach(async ({ task }) => {
  const outcome = await submitted.client.outcome;
  if (task.result?.state !== "fail") await expectUndisturbed(cluster, maps, submitted.output, outcome);
});

type Door = "client" | "worker";
/** Of each task a list of what it needs: job and task. */
type Needs = readonly (readonly (readonly [job: number, task: number])[])[];

const tokenFor = (door: Door): string => cluster.access[`${door}Token`]!;
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** A stranger that has a token says these on one connection. @returns How the scheduler ends it. */
async function endAfter(door: Door, frames: readonly (Uint8Array | string)[]): Promise<[code: number, reason: string]> {
  const socket = new WebSocket(`${cluster.url}/${door}`, { headers: bearer(tokenFor(door)) });
  socket.on("error", () => undefined);
  await once(socket, "open");
  for (const frame of frames) socket.send(frame);
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return [code, reason.toString()];
}

const hello = encodeFrame(clientToScheduler, [
  { type: "hello", protocol: PROTOCOL_VERSION, software: "stranger", name: "stranger" },
]);

const status = encodeFrame(clientToScheduler, [{ type: "status", request: 1 }]);

/** Status of a request to open a door. */
async function statusAt(door: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`${cluster.url}/${door}`, { headers });
  socket.on("error", () => undefined);
  const [, { statusCode }] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
  socket.terminate();
  return statusCode;
}

async function rawClient(): Promise<RawClient> {
  const link = { out: clientToScheduler, in: schedulerToClient };
  return new RawClient(await connectSocket(`${cluster.url}/client`, { link, token: tokenFor("client") }));
}

describe("a scheduler at work", () => {
  test("ends the connection of whoever sends what is no message, and says what was wrong with it", async () => {
    const random = new Random(SEED);
    const truncated = hello.subarray(0, hello.length - 3);
    for (const door of ["client", "worker"] as const) {
      expect(await endAfter(door, ["text"])).toEqual([1002, expect.stringContaining("Cannot decode")]);
      expect(await endAfter(door, [truncated])).toEqual([1002, expect.stringContaining("Cannot decode")]);
      const tooLarge = await endAfter(door, [new Uint8Array(FRAME_BYTES_MAX + 1)]);
      expect([1002, 1006, 1009]).toContain(tooLarge[0]);
      for (let count = 0; count < RANDOM_FRAMES; count++) {
        const bytes = Uint8Array.from({ length: 1 + random.integer(RANDOM_BYTES_MAX) }, () => random.integer(256));
        const [code, reason] = await endAfter(door, [bytes]);
        expect([code, reason], `seed ${SEED}, frame ${count}`).toEqual([1002, expect.stringMatching(/^Cannot decode/)]);
      }
    }
    // After a right one, and where another one belongs.
    expect((await endAfter("client", [hello, hello.subarray(1)]))[0]).toBe(1002);
    expect((await endAfter("client", [status]))[1]).toMatch(/hello/);
    for (const junk of ["GET / HTTP/1.1\r\n\r\n", "\u0016\u0003\u0001", "x".repeat(20_000)]) {
      const socket = connect(Number(new URL(cluster.url).port), "127.0.0.1").on("error", () => undefined);
      socket.resume().write(junk);
      await Promise.race([once(socket, "close"), once(socket, "end")]);
      socket.destroy();
    }
  });

  test("lets in nobody with a wrong token, nor with that of another role", async () => {
    const wrong = bearer("x".repeat(43));
    for (const door of ["client", "worker"] as const) {
      expect(await statusAt(door, {})).toBe(401);
      expect(await statusAt(door, wrong)).toBe(401);
      expect(await statusAt(door, bearer(tokenFor(door === "client" ? "worker" : "client")))).toBe(403);
      expect(await statusAt(door, { ...bearer(tokenFor(door)), origin: "https://page.example" })).toBe(403);
    }
    const http = cluster.url.replace("ws", "http");
    const put = { method: "PUT", body: "x", headers: { ...wrong, "x-sha256": "0".repeat(64) } };
    expect((await fetch(`${http}/parts/p`, put)).status).toBe(401);
    const known = { ...put, headers: { ...put.headers, ...bearer(tokenFor("worker")) } };
    expect((await fetch(`${http}/parts/p`, known)).status).toBe(400);
    expect((await fetch(`${http}/parts/..%2Fescape`, known)).status).toBe(404);
    expect(await (await fetch(`${http}/health`)).json()).toEqual({ status: "ok" });
  });

  test("says what is wrong with kinds, parameters, graphs and numbers of tasks", async () => {
    const client = await cluster.client();
    const base = { common: null, parts: null, taskCount: 1 };
    expect(() => client.submit("nope", 1)).toThrow(expect.objectContaining({ code: "PE_KIND" }));
    const unknown = await client.openJob({ ...base, id: "unknown", kind: "nope", version: "1" });
    expect((await unknown.status()).waits).toMatch(/no worker.*nope/i);
    await unknown.cancel();
    const urgent = { priority: 5 };
    const outOfRange = client.submit("add", { numbers: ["one"] }, urgent);
    await expect(outOfRange.result()).rejects.toMatchObject({
      code: "PE_PARAMETER",
      message: expect.stringContaining("numbers"),
    });
    expect(() => client.submit("noop", 1, { priority: 1e9 })).toThrow(
      expect.objectContaining({ code: "PE_PARAMETER" }),
    );
    const common = { orders: [99], delays: [1], measures: ["pe"], length: 10, format: "hdf5", root: "/" };
    const odd = await client.openJob({ ...base, id: "odd", kind: "pe", common, task: () => ({}), options: urgent });
    const [end] = await endsOf(odd);
    expect(end).toMatchObject({ status: "erred", error: { code: "PE_PARAMETER" } });

    const raw = await rawClient();
    const open = { type: "open", id: "graph", kind: "k", version: "1", common: new Uint8Array(0), maxFails: 9 };
    const { job } = await raw.ask({ ...open, transient: false }, "opened");
    const cyclic = (...needs: Needs): object => ({
      type: "append",
      job,
      from: 0,
      count: needs.length,
      options: OPTIONS,
      needs: needsOf(...needs),
    });
    for (const graph of [cyclic([[job, 0]]), cyclic([[job, 1]], [[job, 0]]), cyclic([], [[job, 2]], [[job, 1]])])
      expect(await raw.ask(graph, "refused")).toMatchObject({
        code: "PE_PARAMETER",
        message: expect.stringContaining("cycle"),
      });
    const few = { ends: column(9, 3), values: new Uint8Array(3) };
    const lying = { type: "append", job, from: 0, count: 2, options: OPTIONS, parameters: few };
    expect(await raw.ask(lying, "refused")).toMatchObject({ code: "PE_PARAMETER" });
    await raw.close();
  });

  test("takes ten million tasks in one call as a range, and names the limit for more", async () => {
    const client = await cluster.client();
    const many = { id: "many", kind: "noop", common: null, parts: null, options: { priority: -1 } };
    await expect(client.openJob({ ...many, taskCount: 10_000_001 })).rejects.toMatchObject({
      code: "PE_LIMIT",
      message: expect.stringContaining("10000000"),
    });
    const before = await cluster.health();
    const job = await client.openJob({ ...many, taskCount: 10_000_000 });
    const { memory } = await cluster.health();
    expect(memory.rssBytes - before.memory.rssBytes).toBeLessThan(10_000_000 * 60);
    expect((await job.status()).tasks).toBe(10_000_000);
    await job.cancel();
    await eventually(
      async () => (await job.status()).counts.cancelled > 0,
      () => "they are cancelled",
    );
    await job.release();
    expect(await client.findJob("many")).toBeUndefined();
  });
});
