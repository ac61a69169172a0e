import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import * as verified from "../../../data/hdf5/verified-writer.ts";
import { publishMaps } from "../../../data/maps.ts";
import { testFolder } from "../../support/folders.ts";
import { jobOf } from "../../support/maps-updates.ts";

vi.mock("../../../data/hdf5/verified-writer.ts", { spy: true });

describe("createVerified()", () => {
  it("notices a byte that changed after it was written, and an attribute", async () => {
    const path = join(await testFolder(), "a.hdf5");
    const values = Float64Array.from({ length: 50 }, (_, index) => Math.sqrt(index));
    const writer = await verified.createVerified(path);
    writer.dataset("/values", values, [50]);
    writer.attribute("/values", "delay", 0x1234567n);
    writer.close();
    await writer.verify();
    const whole = await readFile(path);
    const change = async (at: number): Promise<void> => {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1;
      await writeFile(path, changed);
    };
    await change(whole.indexOf(Buffer.from([0x67, 0x45, 0x23, 0x01])));
    await expect(writer.verify()).rejects.toThrow('attribute delay of "/values" does not read back as it was written');
    await change(whole.indexOf(Buffer.from([0x78, 0xda])) + 20);
    await expect(writer.verify()).rejects.toThrow();
  });
});

describe("publishMaps()", () => {
  it("keeps the old file when the new one does not read back", async () => {
    const folder = await testFolder();
    const path = join(folder, "maps.hdf5");
    await publishMaps(path, jobOf());
    const old = await readFile(path);
    const { createVerified } = await vi.importActual<typeof verified>("../../../data/hdf5/verified-writer.ts");
    vi.mocked(verified.createVerified).mockImplementationOnce(async (temporary) => {
      const writer = await createVerified(temporary);
      return { ...writer, verify: () => Promise.reject(new Error('"/m003t001" does not read back')) };
    });
    await expect(publishMaps(path, jobOf())).rejects.toMatchObject({
      code: "PE_MAPS_UNREADABLE",
      message: expect.stringContaining('"/m003t001" does not read back'),
    });
    expect(await readFile(path)).toEqual(old);
    expect(await readdir(folder)).toEqual(["maps.hdf5"]);
  });
});
