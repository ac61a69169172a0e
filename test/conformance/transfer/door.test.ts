/** Fetching a value from the door of a holder, over TCP and over TLS: the same in both. */
import { connect as connectPlain, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { connect as connectSecure } from "node:tls";
import { beforeEach, describe, expect, test } from "vitest";
import { Random } from "../../../common/random.ts";
import { valueToken } from "../../../protocol/access.ts";
import { makeOwnCertificate } from "../../../protocol/certificates.ts";
import { FetchFailed } from "../../../protocol/transfer/fetch-failed.ts";
import { encodeRequest } from "../../../protocol/transfer/request.ts";
import { PIECE_BYTES, pieceCount } from "../../../protocol/transfer/pieces.ts";
import { serveMemory, type ServedValue } from "../../../protocol/transfer/served-value.ts";
import { ValueStore } from "../../../worker/values/store.ts";
import { testFolder } from "../../support/folders.ts";
import { watchHandles } from "../../support/handles.ts";
import {
  atEnd,
  blobOf,
  door,
  fetcher,
  NAME,
  sameBytes,
  SECRET,
  until,
  valuesOf,
  wanted,
} from "../../support/values.ts";

const BYTES = 5 * PIECE_BYTES + 12_345;
const blob = blobOf(BYTES);
const token = valueToken(SECRET, NAME.id);

let openHandles: () => Promise<string[]>;
beforeEach(() => {
  openHandles = watchHandles();
});

async function failure(fetching: Promise<unknown>): Promise<FetchFailed> {
  const error = await fetching.then(
    () => new Error("it was fetched"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FetchFailed);
  return error as FetchFailed;
}

/** A value whose pieces go through `change` on their way out. */
function changed(change: (index: number, blocks: Uint8Array[]) => Uint8Array[] | Promise<Uint8Array[]>): ServedValue {
  const value = serveMemory(blob);
  return {
    ...value,
    piece: (index) => change(index, [...(value.piece(index) as Uint8Array[])]),
  };
}

describe.each([
  ["TCP", false],
  ["TLS", true],
])("a door over %s", (_, isSecure) => {
  test("gives a value as it is, over and over on one connection", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure });
    const needer = fetcher();
    for (let round = 0; round < 3; round++) {
      const found = await needer.fetchValue(wanted(BYTES, [holder]));
      expect(found).toBeInstanceOf(SharedArrayBuffer);
      expect(sameBytes(found, blob)).toBe(true);
    }
    await until(() => holder.counts.sending === 0);
    expect(holder.counts).toMatchObject({ connections: 1, sent: 3, refused: 0 });
    expect(holder.counts.sentBytes).toBe(3 * (BYTES + 4 * pieceCount(BYTES)));
  });

  test.each([1, 5, PIECE_BYTES, PIECE_BYTES + 2, 2 * PIECE_BYTES])("gives values of %i bytes", async (bytes) => {
    const small = blobOf(bytes, 3);
    const holder = await door(valuesOf([NAME, small]), { isSecure });
    expect(sameBytes(await fetcher().fetchValue(wanted(bytes, [holder])), small)).toBe(true);
  });

  test("gives several needers what they ask for at the same time", async () => {
    const names = Array.from({ length: 6 }, (_unused, task) => ({ id: NAME.id, task }));
    const blobs = names.map(({ task }) => blobOf(PIECE_BYTES * (1 + (task % 3)) + task, task));
    const holder = await door(valuesOf(...names.map((name, place) => [name, blobs[place]!] as const)), { isSecure });
    const needers = [fetcher(), fetcher({ connectionsMax: 1 })];
    const found = await Promise.all(
      needers.flatMap((needer) =>
        names.map(async (name, place) => {
          const fetched = await needer.fetchValue({ ...wanted(blobs[place]!.byteLength, [holder]), name });
          return sameBytes(fetched, blobs[place]!);
        }),
      ),
    );
    expect(found).toEqual(new Array(12).fill(true));
    expect(holder.counts.connections).toBe(3);
  });

  test("serves a spilled value from its file", async () => {
    const store = new ValueStore({ parent: await testFolder() });
    atEnd(() => store.close());
    store.put(NAME, blob);
    await store.spill(NAME);
    const holder = await door(new Map(), { isSecure, openValue: (name) => store.open(name) });
    expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [holder])), blob)).toBe(true);
    expect(store.share(NAME)).toBeUndefined();
  });

  test("says that it does not have a value, and goes on", async () => {
    const holder = await door(valuesOf([{ ...NAME, task: 8 }, blob]), { isSecure });
    const needer = fetcher();
    const { gone, because } = await failure(needer.fetchValue(wanted(BYTES, [holder])));
    expect(gone).toEqual(["worker-0"]);
    expect(because).toBe("worker-0 does not have it");
    await needer.fetchValue({ ...wanted(BYTES, [holder]), name: { ...NAME, task: 8 } });
    expect(holder.counts.connections).toBe(1);
  });

  test("refuses a token that is not the one of the job", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure });
    for (const wrong of [valueToken(SECRET, "another job"), valueToken("another secret", NAME.id)]) {
      const { gone, because } = await failure(fetcher().fetchValue({ ...wanted(BYTES, [holder]), token: wrong }));
      expect(gone).toEqual([]);
      expect(because).toContain("the token is refused");
    }
    expect(holder.counts).toMatchObject({ sent: 0, refused: 2 });
  });

  test("does not look for a value whose token is wrong", async () => {
    let asked = 0;
    const openValue = (): undefined => void asked++;
    const holder = await door(new Map(), { isSecure, openValue });
    await failure(fetcher().fetchValue({ ...wanted(BYTES, [holder]), token: "0".repeat(64) }));
    expect(asked).toBe(0);
  });

  test("is left for the next holder when it has another size, or does not have the value", async () => {
    const [empty, other, good] = [
      await door(new Map(), { isSecure }),
      await door(valuesOf([NAME, blobOf(100)]), { isSecure }),
      await door(valuesOf([NAME, blob]), { isSecure }),
    ];
    for (let round = 0; round < 5; round++)
      expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [empty, other, good])), blob)).toBe(true);
    const { gone, because } = await failure(fetcher().fetchValue(wanted(BYTES, [empty, other])));
    expect(gone).toEqual(["worker-0"]);
    expect(because).toContain(`worker-1: it has 100 bytes of it, not ${BYTES}`);
  });

  test("is asked again after a damaged piece", async () => {
    let times = 0;
    const damaged = changed((index, [piece, trailer]) => {
      if (index !== 2 || times++ > 0) return [piece!, trailer!];
      const wrong = new Uint8Array(piece!);
      wrong[77]! ^= 4;
      return [wrong, trailer!];
    });
    const holder = await door(valuesOf([NAME, damaged]), { isSecure });
    expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [holder])), blob)).toBe(true);
    expect(times).toBe(2);
  });

  test("is given up when its pieces are always damaged, by name", async () => {
    const damaged = changed((index, [piece, trailer]) => [
      piece!,
      index === 3 ? Buffer.from("no crc").subarray(0, 4) : trailer!,
    ]);
    const holder = await door(valuesOf([NAME, damaged]), { isSecure });
    const { code, gone, because } = await failure(fetcher().fetchValue(wanted(BYTES, [holder])));
    expect(code).toBe("PE_VALUE_UNREACHABLE");
    expect(gone).toEqual([]);
    expect(because.match(/worker-0: piece 3 does not fit its checksum/g)).toHaveLength(2);
  });

  test("that dies half-way is followed by the next holder", async () => {
    const dying = await door(new Map(), {
      isSecure,
      openValue: () =>
        changed((index, blocks) => {
          if (index === 3) void dying.close();
          return blocks;
        }),
    });
    const good = await door(valuesOf([NAME, blob]), { isSecure });
    for (let round = 0; round < 4; round++)
      expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [dying, good])), blob)).toBe(true);
    const { gone } = await failure(fetcher().fetchValue(wanted(BYTES, [dying])));
    expect(gone).toEqual([]);
  });

  test("that died between two values is noticed, and the next holder asked", async () => {
    const [first, second] = [
      await door(valuesOf([NAME, blob]), { isSecure }),
      await door(valuesOf([NAME, blob]), { isSecure }),
    ];
    const needer = fetcher();
    await needer.fetchValue(wanted(BYTES, [first]));
    await first.close();
    expect(sameBytes(await needer.fetchValue(wanted(BYTES, [first, second])), blob)).toBe(true);
    await failure(needer.fetchValue(wanted(BYTES, [first])));
  });

  test("that falls silent is left after the time for that", async () => {
    let isSilent = true;
    const silent = await door(new Map(), {
      isSecure,
      openValue: () =>
        changed(async (index, blocks) => {
          if (index === 2 && isSilent) await new Promise<void>((done) => atEnd(done));
          return blocks;
        }),
    });
    const { because } = await failure(fetcher({ silenceMs: 100 }).fetchValue(wanted(BYTES, [silent])));
    expect(because).toBe("worker-0: nothing was heard for 100 ms");
    isSilent = false;
  });

  test("whose value cannot be read here tells its worker, and cuts the connection", async () => {
    const faults: string[] = [];
    const broken = changed((index, blocks) => {
      if (index === 1) throw new Error("the disk is gone");
      return blocks;
    });
    const holder = await door(valuesOf([NAME, broken], [{ ...NAME, task: 1 }, new Error("no such file")]), {
      isSecure,
      onFault: ({ task }, { message }) => faults.push(`${task}: ${message}`),
    });
    await failure(fetcher().fetchValue(wanted(BYTES, [holder])));
    await failure(fetcher().fetchValue({ ...wanted(BYTES, [holder]), name: { ...NAME, task: 1 } }));
    expect(faults).toEqual(["7: the disk is gone", "1: no such file"]);
  });

  test("sees a needer go away, and lets go of the value", async () => {
    let closed = 0;
    let pieces = 0;
    const value: ServedValue = {
      ...changed((_index, blocks) => {
        pieces++;
        return blocks;
      }),
      close: () => void closed++,
    };
    const holder = await door(valuesOf([NAME, value]), { isSecure });
    const leaving = new AbortController();
    const reason = new Error("no more");
    const fetching = fetcher().fetchValue({ ...wanted(BYTES, [holder]), signal: leaving.signal });
    await until(() => pieces >= 2);
    leaving.abort(reason);
    await expect(fetching).rejects.toBe(reason);
    await until(() => closed > 0 && holder.counts.connections === 0);
    expect(holder.counts.sending).toBe(0);
  });

  test("holds a few pieces for a needer that takes nothing, and cuts it off in the end", async () => {
    let pieces = 0;
    let closed = 0;
    const large = blobOf(64 * PIECE_BYTES);
    const memory = serveMemory(large);
    const value: ServedValue = {
      ...memory,
      piece: (index) => {
        pieces++;
        return memory.piece(index);
      },
      close: () => void closed++,
    };
    const holder = await door(valuesOf([NAME, value]), { isSecure, limits: { stallMs: 300 } });
    const socket = await connectTo(holder.at.address, isSecure);
    socket.pause();
    socket.write(encodeRequest(NAME, token));
    await until(() => closed > 0);
    // What the system keeps for the two sockets, and the pieces under way.
    expect(pieces).toBeLessThan(40);
    expect(holder.counts.connections).toBe(0);
    socket.destroy();
  });

  test("is not disturbed by bytes that are no request", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure, limits: { requestMs: 500 } });
    const random = new Random(11);
    const request = encodeRequest(NAME, token);
    await Promise.all(
      Array.from({ length: 60 }, async (_unused, round) => {
        const bytes = Buffer.from(Array.from({ length: random.integer(900) }, () => random.integer(256)));
        // Some begin as a request does.
        if (round % 3 === 0) request.copy(bytes, 0, 0, random.integer(request.byteLength));
        // One that takes its time for the handshake is cut off before.
        const socket = await connectTo(holder.at.address, isSecure).catch(() => undefined);
        if (socket === undefined) return;
        socket.write(bytes);
        if (round % 4 === 0) socket.end();
        await new Promise((done) => socket.resume().once("close", done));
      }),
    );
    expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [holder])), blob)).toBe(true);
    await until(() => holder.counts.sending === 0);
    expect(holder.counts.sent).toBe(1);
  });

  test("answers a request that came before the answer to the last one had left", async () => {
    const small = blobOf(1000);
    const holder = await door(valuesOf([NAME, small]), { isSecure });
    const request = encodeRequest(NAME, token);
    const socket = await connectTo(holder.at.address, isSecure);
    socket.write(Buffer.concat([request, request, request]));
    let come = 0;
    socket.on("data", (bytes: Buffer) => (come += bytes.byteLength));
    await until(() => come >= 3 * (16 + 1004));
    expect(holder.counts.connections).toBe(1);
    socket.destroy();
  });

  test("cuts off who asks without end, or never asks", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure, limits: { requestMs: 100 } });
    const request = encodeRequest(NAME, token);
    const endless = Buffer.concat(new Array<Buffer>(20).fill(request));
    for (const bytes of [endless, request.subarray(0, 20), Buffer.alloc(0)]) {
      const socket = await connectTo(holder.at.address, isSecure);
      if (bytes.byteLength > 0) socket.write(bytes);
      await new Promise((done) => socket.resume().once("close", done));
    }
    expect(holder.counts.sent).toBe(0);
  });

  test("says that it is full, and takes others again when there is room", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure, limits: { connectionsMax: 2 } });
    const sockets = [await connectTo(holder.at.address, isSecure), await connectTo(holder.at.address, isSecure)];
    await until(() => holder.counts.connections === 2);
    const { because } = await failure(fetcher().fetchValue(wanted(BYTES, [holder])));
    expect(because).toContain("it has all the connections that it takes");
    for (const socket of sockets) socket.destroy();
    await until(() => holder.counts.connections === 0);
    expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [holder])), blob)).toBe(true);
  });

  test("leaves nothing open when both sides are closed in the middle of a value", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure });
    const needer = fetcher();
    await needer.fetchValue(wanted(BYTES, [holder]));
    const fetching = needer.fetchValue(wanted(BYTES, [holder]));
    needer.close();
    await expect(fetching).rejects.toMatchObject({ code: "PE_CLOSED" });
    await holder.close();
    expect(await openHandles()).toEqual([]);
  });
});

describe("fetchValue()", () => {
  test("trusts no certificate but the one that it was told of", async () => {
    const holder = await door(valuesOf([NAME, blob]), { isSecure: true });
    const { at } = holder;
    const other = { ...holder, at: { ...at, certificate: makeOwnCertificate().fingerprint } };
    const { because } = await failure(fetcher().fetchValue(wanted(BYTES, [other])));
    expect(because).toContain("its certificate is not the one that the scheduler names");
    expect(holder.counts.refused + holder.counts.sent).toBe(0);
  });

  test("does not wait for a door that did not answer a moment ago while another one does", async () => {
    const dead = await mute();
    const good = await door(valuesOf([NAME, blob]));
    const needer = fetcher({ connectMs: 50 });
    await failure(needer.fetchValue(wanted(BYTES, [dead])));
    for (let round = 0; round < 8; round++) await needer.fetchValue(wanted(BYTES, [dead, good]));
    expect(dead.connections()).toBe(1);
    // The only one there is is tried all the same.
    await failure(needer.fetchValue(wanted(BYTES, [dead])));
    expect(dead.connections()).toBe(2);
  });

  test("does not wait again for a holder that fell silent in the middle of a value", async () => {
    let asked = 0;
    const silent = await door(new Map(), {
      openValue: () => {
        asked++;
        return changed(async (index, blocks) => {
          if (index === 2) await new Promise<void>((done) => atEnd(done));
          return blocks;
        });
      },
    });
    const good = await door(valuesOf([NAME, blob]));
    const needer = fetcher({ silenceMs: 100 });
    await failure(needer.fetchValue(wanted(BYTES, [silent])));
    for (let round = 0; round < 8; round++) await needer.fetchValue(wanted(BYTES, [silent, good]));
    expect(asked).toBe(1);
  });

  test("names nobody when nobody is known, or nobody serves", async () => {
    expect((await failure(fetcher().fetchValue(wanted(BYTES, [])))).because).toBe("nobody is known to have it");
    expect((await failure(fetcher().fetchValue(wanted(BYTES, [undefined])))).because).toBe(
      "none of its holders can be reached from here",
    );
  });

  test.skipIf(!hasIpv6())("reaches doors at addresses of IPv6", async () => {
    const holder = await door(valuesOf([NAME, blob]), { host: "::1", isSecure: true });
    expect(holder.at.address).toMatch(/^\[::1\]:\d+$/);
    expect(sameBytes(await fetcher().fetchValue(wanted(BYTES, [holder])), blob)).toBe(true);
  });

  test("fails plainly when an address is none", async () => {
    const holder = await door(valuesOf([NAME, blob]));
    const { because } = await failure(fetcher().fetchValue(wanted(BYTES, [{ ...holder, at: { address: "nowhere" } }])));
    expect(because).toContain('Cannot connect to "nowhere"');
  });
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
}

function connectTo(address: string, isSecure: boolean): Promise<Socket> {
  const port = Number(address.split(":").at(-1));
  return new Promise((resolve, reject) => {
    const socket: Socket = isSecure
      ? connectSecure({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => resolve(socket))
      : connectPlain({ port, host: "127.0.0.1" }, () => resolve(socket));
    socket.once("error", reject);
    socket.on("error", () => undefined);
    atEnd(() => void socket.destroy());
  });
}

/** A TLS door whose handshake never goes on: connections are taken, and nothing is said. */
async function mute() {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const at = { address: `127.0.0.1:${port}`, certificate: "0".repeat(64) };
  return { at, connections: () => sockets.length, counts: undefined as never, close: async () => undefined };
}
