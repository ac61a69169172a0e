/**
 * Goal: whatever a crash leaves, a journal gives back exactly the commits that are whole, a prefix; and it never takes
 * damage to what it confirmed for the end.
 * Method: random commits are written by a real journal; its segment is cut at every byte, or bits of it are flipped.
 * Replay: fast-check prints seed and path of a failure; give them as `{ seed, path }` to `fc.assert`.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHead, HEAD_BYTES, recordsOf, scanSegment, type Scan } from "../../../scheduler/journal/framing.ts";
import { inFolder, openText, until } from "../../support/journal.ts";

const commits = fc.array(fc.array(fc.uint8Array({ maxLength: 30, size: "max" }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 6,
});

/** A segment with these commits, a frame each, as a crash leaves it: not closed. */
async function segmentOf(records: readonly (readonly Uint8Array[])[]): Promise<Buffer> {
  return inFolder(async (folder) => {
    const { journal } = await openText(folder);
    for (const commit of records) {
      const sequence = journal.append(commit);
      await until(() => journal.durable === sequence);
    }
    const file = await readFile(join(folder, "segment-0000000000000001.journal"));
    await journal.close();
    return file;
  });
}

function recordsIn(file: Buffer, { frames }: Scan): Uint8Array[][] {
  return frames.map(({ at, frame }) => recordsOf(file, at, frame).map((record) => Uint8Array.from(record)));
}

describe("scanSegment()", () => {
  test("gives back the longest prefix of whole commits, cut at any byte", async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (written) => {
        const file = await segmentOf(written);
        const head = decodeHead("segment", file)!;
        const ends = scanSegment(file, head).frames.map(({ frame }) => frame.end);
        expect(ends).toHaveLength(written.length);
        expect(ends.at(-1)).toBe(file.length);
        for (let length = HEAD_BYTES; length <= file.length; length++) {
          const cut = file.subarray(0, length);
          const scan = scanSegment(cut, head);
          const whole = ends.filter((end) => end <= length).length;
          expect(recordsIn(cut, scan)).toEqual(written.slice(0, whole));
          expect(scan.wholeBytes).toBe(ends[whole - 1] ?? HEAD_BYTES);
          expect(scan.lostBefore).toBeUndefined();
        }
      }),
      { numRuns: 40 },
    );
  });

  test("gives back the same prefix when the torn tail is zeros or noise", async () => {
    await fc.assert(
      fc.asyncProperty(
        commits,
        fc.nat(),
        fc.oneof(
          fc.uint8Array({ maxLength: 200, size: "max" }),
          fc.nat({ max: 200 }).map((n) => new Uint8Array(n)),
        ),
        async (written, place, noise) => {
          const file = await segmentOf(written);
          const head = decodeHead("segment", file)!;
          const ends = scanSegment(file, head).frames.map(({ frame }) => frame.end);
          const length = HEAD_BYTES + (place % (file.length - HEAD_BYTES + 1));
          const torn = Buffer.concat([file.subarray(0, length), noise]);
          const scan = scanSegment(torn, head);
          // Noise may happen to be what was cut off.
          const same = torn.findIndex((byte, index) => byte !== file[index]);
          const reach = same === -1 ? torn.length : same;
          expect(recordsIn(torn, scan)).toEqual(written.slice(0, ends.filter((end) => end <= reach).length));
          expect(scan.lostBefore).toBeUndefined();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("notices any flipped bit: what follows is refused, or it was the last commit", async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.array(fc.nat(), { minLength: 100, maxLength: 100 }), async (written, places) => {
        const file = await segmentOf(written);
        const head = decodeHead("segment", file)!;
        const { frames } = scanSegment(file, head);
        for (const place of places) {
          const at = HEAD_BYTES + ((place >>> 3) % (file.length - HEAD_BYTES));
          const broken = Buffer.from(file);
          broken[at]! ^= 1 << (place & 7);
          const scan = scanSegment(broken, head);
          const hit = frames.findIndex(({ frame }) => at < frame.end);
          expect(recordsIn(broken, scan)).toEqual(written.slice(0, hit));
          expect(scan.lostBefore).toBe(hit === written.length - 1 ? undefined : frames[hit + 1]!.at);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("notices any flipped bit of the head", async () => {
    const file = await segmentOf([[Uint8Array.of(1)]]);
    const head = decodeHead("segment", file)!;
    for (let bit = 0; bit < HEAD_BYTES * 8; bit++) {
      const broken = Buffer.from(file);
      broken[bit >>> 3]! ^= 1 << (bit & 7);
      const found = decodeHead("segment", broken);
      expect(found === undefined || found.format !== head.format).toBe(true);
    }
  });
});
