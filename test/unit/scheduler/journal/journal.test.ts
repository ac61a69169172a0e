import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PeError } from "../../../../common/errors.ts";
import { encodeHead, FORMAT_VERSION, HEAD_BYTES } from "../../../../scheduler/journal/framing.ts";
import { appendEach, bytesOf, errno, faultyFiles, inFolder, openText, until } from "../../../support/journal.ts";

const FIRST = "segment-0000000000000001.journal";

async function refusalOf(attempt: Promise<unknown>): Promise<PeError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PeError);
  return error as PeError;
}

/** As a crash leaves it: the files as they are, of a journal that goes on elsewhere. */
async function copyOf(folder: string, copy: string): Promise<string> {
  await mkdir(copy);
  for (const name of await readdir(folder)) if (name !== "copy") await copyFile(join(folder, name), join(copy, name));
  return copy;
}

describe("openJournal()", () => {
  test("makes the folder and begins with nothing", () =>
    inFolder(async (folder) => {
      const { journal, snapshot, records } = await openText(join(folder, "new", "journal"));
      expect({ snapshot, records, last: journal.last, durable: journal.durable }).toEqual({
        snapshot: undefined,
        records: [],
        last: 0,
        durable: 0,
      });
      expect((await stat(join(folder, "new", "journal"))).mode & 0o777).toBe(0o700);
      await journal.close();
    }));

  test("finds all records again, in order, and goes on counting", () =>
    inFolder(async (folder) => {
      const texts: string[] = [];
      for (let life = 0; life < 4; life++) {
        const opened = await openText(folder);
        expect(opened.records).toEqual(texts);
        expect(opened.journal.last).toBe(texts.length);
        const more = Array.from({ length: 50 * life }, (_, index) => `${life}:${index}${"x".repeat(index)}`);
        texts.push(...more);
        expect(opened.journal.append(bytesOf(...more))).toBe(texts.length);
        await opened.journal.close();
        expect(opened.durable.at(-1) ?? texts.length).toBe(texts.length);
      }
    }));

  test("has one owner at a time", () =>
    inFolder(async (folder) => {
      const { journal } = await openText(folder);
      expect((await refusalOf(openText(folder))).code).toBe("PE_OUTPUT_BUSY");
      await journal.close();
      await (await openText(folder)).journal.close();
    }));

  test("gives the folder back when it refuses it", () =>
    inFolder(async (folder) => {
      await writeFile(join(folder, FIRST), "no journal at all, and long enough to be one");
      for (let attempt = 0; attempt < 2; attempt++)
        expect((await refusalOf(openText(folder))).code).toBe("PE_JOURNAL_CORRUPT");
    }));

  test("refuses another format or content, naming both versions", () =>
    inFolder(async (folder) => {
      const path = join(folder, FIRST);
      const head = encodeHead("segment", { content: 7, sequence: 1, salt: 5 });
      await writeFile(path, head);
      const content = await refusalOf(openText(folder, { content: 8 }));
      expect(content.code).toBe("PE_JOURNAL_VERSION");
      expect(content.message).toMatch(/its content has version 7, this program reads version 8; finish its jobs/);
      head.writeUInt32LE(FORMAT_VERSION + 1, 8);
      await writeFile(path, head);
      const format = await refusalOf(openText(folder, { content: 7 }));
      expect(format.code).toBe("PE_JOURNAL_VERSION");
      expect(format.message).toMatch(/its format has version 2, this program reads version 1/);
    }));

  test("goes on with an older content that is understood, in a segment of its own version", () =>
    inFolder(async (folder) => {
      const understood = { content: 8, contentMin: 7 };
      for (const texts of [[], ["a", "b"]]) {
        const old = await openText(folder, { content: 7 });
        await appendEach(old, ...texts);
        await old.journal.close();
        const copy = await copyOf(folder, join(folder, "copy"));
        for (const more of [["c"], ["d"]]) {
          const opened = await openText(copy, understood);
          expect(opened.records).toEqual(more[0] === "c" ? texts : [...texts, "c"]);
          await appendEach(opened, ...more);
          await opened.journal.close();
        }
        // Whoever cannot read what was added touches nothing.
        expect((await refusalOf(openText(copy, { content: 7 }))).code).toBe("PE_JOURNAL_VERSION");
        expect((await refusalOf(openText(copy, { content: 9, contentMin: 9 }))).code).toBe("PE_JOURNAL_VERSION");
        const last = await openText(copy, understood);
        expect(last.records).toEqual([...texts, "c", "d"]);
        await last.journal.close();
        await rm(copy, { recursive: true });
      }
    }));

  test("cuts off a torn tail and goes on behind the last whole frame", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "a", "b", "c".repeat(1000));
      const copy = await copyOf(folder, join(folder, "copy"));
      await opened.journal.close();
      const path = join(copy, FIRST);
      await truncate(path, (await stat(path)).size - 1);
      // A segment for each commit: what is left of a tail would then lie in the middle.
      const second = await openText(copy, { segmentBytes: 1 });
      expect(second.records).toEqual(["a", "b"]);
      await appendEach(second, "d");
      await second.journal.close();
      const third = await openText(copy);
      expect(third.records).toEqual(["a", "b", "d"]);
      await third.journal.close();
    }));

  test("writes the last frame again, which a failed sync may have left in memory alone", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "a", "b");
      const copy = await copyOf(folder, join(folder, "copy"));
      await opened.journal.close();
      const before = await readFile(join(copy, FIRST));
      const { files, faults } = faultyFiles();
      const again = await openText(copy, { files });
      expect(faults).toMatchObject({ writes: 1, syncs: 1 });
      expect(await readFile(join(copy, FIRST))).toEqual(before);
      await again.journal.close();
    }));

  test("refuses a broken frame before a whole one, names file and byte, and changes nothing", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "first", "second", "third");
      await opened.journal.close();
      const path = join(folder, FIRST);
      const file = await readFile(path);
      const at = file.indexOf("second");
      file[at]! ^= 1;
      await writeFile(path, file);
      const { code, message, details } = await refusalOf(openText(folder));
      expect(code).toBe("PE_JOURNAL_CORRUPT");
      expect(message).toMatch(/Cannot read the journal ".*" from byte \d+: a whole frame follows at byte \d+; /);
      expect(details).toEqual({ path, offset: at - 24 });
      expect(await readFile(path)).toEqual(file);
    }));

  test("detects damage in the last frame of a journal that was closed", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "first", "last");
      await opened.journal.close();
      const path = join(folder, FIRST);
      const file = await readFile(path);
      file[file.indexOf("last")]! ^= 1;
      await writeFile(path, file);
      expect((await refusalOf(openText(folder))).code).toBe("PE_JOURNAL_CORRUPT");
    }));

  test("refuses a journal without one of its segments", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder, { segmentBytes: 100 });
      await appendEach(opened, ..."abcdefghijklmnopqrstuvwxyz".split(""));
      await opened.journal.close();
      const names = (await readdir(folder)).toSorted();
      expect(names.length).toBeGreaterThan(4);
      const copy = await copyOf(folder, join(folder, "copy"));
      for (const [index, name] of names.entries()) {
        const kept = await readFile(join(copy, name));
        if (index === names.length - 1) continue;
        execFileSync("rm", [join(copy, name)]);
        const { code, message } = await refusalOf(openText(copy));
        expect(code).toBe("PE_JOURNAL_CORRUPT");
        expect(message).toMatch(/records \d+ to \d+ are missing before it/);
        await writeFile(join(copy, name), kept);
      }
      const whole = await openText(copy);
      expect(whole.records.join("")).toBe("abcdefghijklmnopqrstuvwxyz");
      await whole.journal.close();
    }));

  test("refuses a torn segment with another behind it", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder, { segmentBytes: 100 });
      await appendEach(opened, ..."abcdefgh".split(""));
      await opened.journal.close();
      const path = join(folder, FIRST);
      await truncate(path, (await stat(path)).size - 1);
      expect((await refusalOf(openText(folder))).message).toMatch(/a later segment follows/);
    }));

  test("takes nothing a client wrote for a frame", () =>
    inFolder(async (folder) => {
      const first = await openText(folder);
      await appendEach(first, "a", "b");
      await first.journal.close();
      const frames = (await readFile(join(folder, FIRST))).subarray(HEAD_BYTES);
      const other = join(folder, "other");
      const second = await openText(other);
      await appendEach(second, "a");
      second.journal.append([frames, frames]);
      await until(() => second.journal.durable === 3);
      const copy = await copyOf(other, join(folder, "copy"));
      await second.journal.close();
      const path = join(copy, FIRST);
      await truncate(path, (await stat(path)).size - 1);
      const third = await openText(copy);
      expect(third.records).toEqual(["a"]);
      await third.journal.close();
    }));
});

describe("append()", () => {
  test("makes one commit of what one turn appends, and of all that waits while one is under way", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const { journal, durable } = await openText(folder, { files });
      const { syncs } = faults;
      for (let index = 0; index < 10; index++) journal.append(bytesOf("a", "b"));
      await until(() => faults.writes > 1);
      for (let index = 0; index < 10; index++) journal.append(bytesOf("c"));
      await until(() => journal.durable === 30);
      expect(durable).toEqual([20, 30]);
      expect(faults.syncs - syncs).toBe(2);
      await journal.close();
    }));

  test("commits a patient record with the next urgent one, alone after a moment, or when it is closed", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const { journal, durable } = await openText(folder, { files });
      journal.append(bytesOf("a"), true);
      journal.append(bytesOf("b"), true);
      journal.append(bytesOf("c"));
      await until(() => journal.durable === 3);
      expect(durable).toEqual([3]);
      journal.append(bytesOf("d"), true);
      await until(() => journal.durable === 4);
      const { syncs } = faults;
      journal.append(bytesOf("e"), true);
      await journal.close();
      expect(durable).toEqual([3, 4, 5]);
      // Of the record, and of the mark at the end.
      expect(faults.syncs - syncs).toBe(2);
    }));

  test("does not let much wait, however patient", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const { journal } = await openText(folder, { files });
      const { writes } = faults;
      journal.append([Buffer.alloc(100 << 10)], true);
      await new Promise(setImmediate);
      expect(faults.writes - writes).toBe(1);
      await journal.close();
    }));

  test("confirms nothing before its sync has ended", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const { journal, durable } = await openText(folder, { files });
      faults.before = (act) => {
        if (act === "dataSync") expect(durable).toEqual([]);
      };
      journal.append(bytesOf("a"));
      expect(durable).toEqual([]);
      await until(() => durable.length === 1);
      await journal.close();
    }));

  test("copies the bytes of records", () =>
    inFolder(async (folder) => {
      const { journal } = await openText(folder);
      const record = Buffer.from("before");
      journal.append([record]);
      record.write("after!");
      await journal.close();
      const again = await openText(folder);
      expect(again.records).toEqual(["before"]);
      await again.journal.close();
    }));

  test("splits what does not fit into one frame, and spreads over segments", () =>
    inFolder(async (folder) => {
      const { journal, durable } = await openText(folder, { segmentBytes: 1 << 20 });
      const large = Buffer.alloc(12 << 20, 7);
      journal.append([large, large, large, Buffer.from("end")]);
      await journal.close();
      expect(durable).toEqual([2, 4]);
      expect(await readdir(folder)).toHaveLength(3);
      const again = await openText(folder);
      expect(again.records.map(({ length }) => length)).toEqual([12 << 20, 12 << 20, 12 << 20, 3]);
      await again.journal.close();
    }));

  test("goes on after writes that take a part", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files });
      faults.bytesPerWrite = 3;
      await appendEach(opened, "first", "second");
      expect(faults.writes).toBeGreaterThan(10);
      await opened.journal.close();
      const again = await openText(folder);
      expect(again.records).toEqual(["first", "second"]);
      await again.journal.close();
    }));
});

describe("a disk that fails", () => {
  test.each<["write" | "dataSync", string]>([
    ["dataSync", "EIO"],
    ["dataSync", "ENOSPC"],
    ["write", "EIO"],
  ])("ends the journal at %s with %s, and confirms nothing more", (failing, code) =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files });
      await appendEach(opened, "a");
      let failures = 0;
      faults.before = (act) => {
        if (act !== failing) return;
        failures++;
        if (failures === 1) throw errno(code);
      };
      opened.journal.append(bytesOf("b"));
      await until(() => opened.fatal.length === 1);
      opened.journal.append(bytesOf("c"));
      await new Promise((done) => setTimeout(done, 20));
      expect(opened.durable).toEqual([1]);
      expect(opened.journal.status).toBe("failed");
      expect(opened.statuses).toEqual(["failed"]);
      expect(opened.fatal).toHaveLength(1);
      expect(String(opened.fatal[0])).toContain(code);
      expect(failures).toBe(1);
      await opened.journal.close();
    }),
  );
});

describe("a full disk", () => {
  test("is waited out: no confirmation, a status, and all records when there is room again", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files });
      await appendEach(opened, "a");
      let attempts = 0;
      faults.bytesPerWrite = 7;
      faults.before = (act) => {
        // Some of a frame fits, then no more.
        if (act === "write" && ++attempts % 2 === 0) throw errno("ENOSPC");
      };
      opened.journal.append(bytesOf("b"));
      await until(() => attempts > 4);
      opened.journal.append(bytesOf("c", "d"));
      expect(opened.journal.status).toBe("disk-full");
      expect(opened.journal.waitingBytes).toBe(15);
      expect(opened.durable).toEqual([1]);
      delete faults.before;
      await until(() => opened.journal.durable === 4);
      expect(opened.statuses).toEqual(["disk-full", "open"]);
      expect(opened.journal.waitingBytes).toBe(0);
      expect(opened.fatal).toEqual([]);
      await opened.journal.close();
      const again = await openText(folder);
      expect(again.records).toEqual(["a", "b", "c", "d"]);
      await again.journal.close();
    }));

  test("is waited out where a segment begins", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files, segmentBytes: 40 });
      faults.before = (act, path) => {
        if (act === "open" && path.endsWith(".tmp")) throw errno("ENOSPC");
      };
      opened.journal.append(bytesOf("a"));
      await until(() => opened.journal.status === "disk-full");
      expect(opened.durable).toEqual([1]);
      opened.journal.append(bytesOf("b"));
      delete faults.before;
      await until(() => opened.journal.durable === 2);
      await opened.journal.close();
      const again = await openText(folder);
      expect(again.records).toEqual(["a", "b"]);
      await again.journal.close();
    }));

  test("makes close() an error, and what was confirmed is still there", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files });
      await appendEach(opened, "a");
      faults.before = (act) => {
        if (act === "write") throw errno("ENOSPC");
      };
      opened.journal.append(bytesOf("b"));
      expect((await refusalOf(opened.journal.close())).code).toBe("PE_DISK_FULL");
      const again = await openText(folder);
      expect(again.records).toEqual(["a"]);
      await again.journal.close();
    }));

  test("that is a real one of 256 kB is waited out (needs root)", (context) =>
    inFolder(async (folder) => {
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], { stdio: "ignore" });
      } catch {
        context.skip("no right to mount a file system here");
      }
      try {
        const opened = await openText(folder);
        await writeFile(join(folder, "hog"), Buffer.alloc(128 << 10));
        opened.journal.append([Buffer.alloc(100 << 10, "x")]);
        await until(() => opened.journal.durable === 1);
        opened.journal.append([Buffer.alloc(100 << 10, "y")]);
        await until(() => opened.journal.status === "disk-full");
        expect(opened.durable).toEqual([1]);
        execFileSync("rm", [join(folder, "hog")]);
        await until(() => opened.journal.durable === 2);
        await opened.journal.close();
        const again = await openText(folder);
        expect(again.records.map((text) => `${text.slice(0, 1)}${text.length}`)).toEqual(["x102400", "y102400"]);
        await again.journal.close();
      } finally {
        execFileSync("umount", [folder]);
      }
    }));
});

describe("snapshot()", () => {
  test("takes the place of the records before it", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder, { segmentBytes: 100 });
      await appendEach(opened, ..."abcdefgh".split(""));
      await opened.journal.snapshot([Buffer.from("state of e")], 5);
      await appendEach(opened, "i");
      await opened.journal.close();
      const again = await openText(folder);
      expect(again.snapshot).toBe("state of e");
      expect(again.records.join("")).toBe("fghi");
      expect(again.journal.last).toBe(9);
      await again.journal.snapshot([Buffer.from("state of i")], 9);
      expect((await readdir(folder)).toSorted()).toEqual([
        "segment-0000000000000010.journal",
        "snapshot-0000000000000009.journal",
      ]);
      await appendEach(again, "j");
      await again.journal.close();
      const third = await openText(folder);
      expect([third.snapshot, ...third.records]).toEqual(["state of i", "j"]);
      await third.journal.close();
    }));

  test("may be taken again of the same record", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "a");
      await opened.journal.snapshot([Buffer.from("one")], 1);
      await opened.journal.snapshot([Buffer.from("two")], 1);
      await opened.journal.close();
      const again = await openText(folder);
      expect([again.snapshot, ...again.records]).toEqual(["two"]);
      await again.journal.close();
    }));

  test("goes on beside commits", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "a");
      const taken = opened.journal.snapshot([Buffer.alloc(1 << 20, "s")], 1);
      await appendEach(opened, ..."bcdef".split(""));
      await taken;
      await opened.journal.close();
      const again = await openText(folder);
      expect(again.snapshot).toHaveLength(1 << 20);
      expect(again.records.join("")).toBe("bcdef");
      await again.journal.close();
    }));

  test("leaves everything as it was when the disk is full, and no file behind", () =>
    inFolder(async (folder) => {
      const { files, faults } = faultyFiles();
      const opened = await openText(folder, { files });
      await appendEach(opened, "a", "b");
      faults.before = (act, path) => {
        if (act === "write" && path.includes("snapshot")) throw errno("ENOSPC");
      };
      expect((await refusalOf(opened.journal.snapshot([Buffer.from("state")], 2))).code).toBe("PE_DISK_FULL");
      expect((await readdir(folder)).filter((name) => name.includes("snapshot"))).toEqual([]);
      await appendEach(opened, "c");
      await opened.journal.close();
      const again = await openText(folder);
      expect([again.snapshot, ...again.records]).toEqual([undefined, "a", "b", "c"]);
      await again.journal.close();
    }));

  test("is refused of records that are not durable", () =>
    inFolder(async (folder) => {
      const { journal } = await openText(folder);
      journal.append(bytesOf("a"));
      await expect(journal.snapshot([Buffer.from("state")], 1)).rejects.toThrow(/not durable/);
      await journal.close();
    }));

  test("that is damaged is refused", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder);
      await appendEach(opened, "a");
      await opened.journal.snapshot([Buffer.from("state")], 1);
      await opened.journal.close();
      const path = join(folder, "snapshot-0000000000000001.journal");
      const whole = await readFile(path);
      for (const at of [0, 9, 20, 30, HEAD_BYTES, whole.length - 1]) {
        const broken = Buffer.from(whole);
        broken[at]! ^= 4;
        await writeFile(path, broken);
        expect((await refusalOf(openText(folder))).code).toMatch(/PE_JOURNAL_(CORRUPT|VERSION)/);
      }
    }));

  test("is found whatever a crash in its middle left behind", () =>
    inFolder(async (folder) => {
      const opened = await openText(folder, { segmentBytes: 100 });
      await appendEach(opened, ..."abcdefgh".split(""));
      const before = await copyOf(folder, join(folder, "copy"));
      await opened.journal.snapshot([Buffer.from("state of h")], 8);
      const snapshot = "snapshot-0000000000000008.journal";
      // Made, but the old segments are still there; another one was begun and not finished.
      await copyFile(join(folder, snapshot), join(before, snapshot));
      const next = "segment-0000000000000009.journal";
      await copyFile(join(folder, next), join(before, next));
      await writeFile(join(before, "snapshot-0000000000000009.journal.tmp"), "half");
      await opened.journal.close();
      const again = await openText(before);
      expect([again.snapshot, ...again.records]).toEqual(["state of h"]);
      expect((await readdir(before)).toSorted()).toEqual([next, snapshot]);
      await again.journal.close();
    }));
});

describe("close()", () => {
  test("makes durable what waits, may be called twice, and takes no more records", () =>
    inFolder(async (folder) => {
      const { journal, durable, statuses } = await openText(folder);
      journal.append(bytesOf("a"));
      await journal.close();
      await journal.close();
      expect(durable).toEqual([1]);
      expect(statuses).toEqual(["closed"]);
      expect(() => journal.append(bytesOf("b"))).toThrow(/closed journal/);
    }));
});
