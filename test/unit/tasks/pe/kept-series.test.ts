import { expect, test } from "vitest";
import type { SampleArray } from "../../../../data/samples.ts";
import { keepingSeries } from "../../../../tasks/pe/kept-series.ts";
import type { SharedContent } from "../../../../tasks/kind.ts";

const SERIES: readonly SampleArray[] = [
  Float64Array.of(1.5, NaN, -0),
  Float32Array.of(2.5),
  Int8Array.of(-1, 2, 3),
  Uint8Array.of(255),
  Int16Array.of(-300, 5),
  Uint16Array.of(65_535),
  Int32Array.of(-70_000),
  new Float64Array(0),
];

function shardOf(series: readonly SampleArray[]) {
  const scratch = new Float64Array(64);
  return {
    series: series.map(({ length }, row) => ({ dataset: `d${row}`, x: row, y: 0, xVariable: 0, yVariable: 0, length })),
    sampleBytes: (row: number) => series[row]!.byteLength,
    // As of a shard: overwritten by the next.
    read: (row: number) => {
      scratch.fill(0);
      const bytes = new Uint8Array(scratch.buffer, 0, series[row]!.byteLength);
      bytes.set(new Uint8Array(series[row]!.buffer));
      const Type = series[row]!.constructor as new (b: ArrayBuffer, o: number, n: number) => SampleArray;
      return new Type(scratch.buffer, 0, series[row]!.length);
    },
  };
}

/** Memory as a worker gives it: the same for the same name, anything behind its head. */
function workerMemory() {
  const known = new Map<string, SharedArrayBuffer>();
  const content = (sha256 = "00"): SharedContent => ({
    content: undefined,
    sha256,
    isNew: true,
    derived: async (name, { bytes: wanted, headBytes }) => {
      if (!known.has(name)) {
        const memory = new SharedArrayBuffer(wanted);
        new Uint8Array(memory).fill(1, headBytes);
        known.set(name, memory);
      }
      return await Promise.resolve(known.get(name));
    },
  });
  return { known, content };
}

test("keepingSeries() inflates each series once for all that share its memory, of whatever type", async () => {
  const { content } = workerMemory();
  const [first, second] = [
    await keepingSeries(shardOf(SERIES), content()),
    await keepingSeries(shardOf(SERIES), content()),
  ];
  for (const [row, series] of SERIES.entries()) {
    expect(first.read(row)).toEqual(series);
    expect(second.read(row)).toEqual(series);
    expect(second.read(row).constructor).toBe(series.constructor);
  }
  expect([first.inflated(), second.inflated()]).toEqual([SERIES.length, 0]);
});

test("keepingSeries() inflates what nobody has inflated, what another is writing, and what threw", async () => {
  const { known, content } = workerMemory();
  const first = await keepingSeries(shardOf(SERIES), content());
  first.read(0);
  const broken = {
    ...shardOf(SERIES),
    read: () => {
      throw new Error("damaged");
    },
  };
  const second = await keepingSeries(broken, content());
  expect(second.read(0)).toEqual(SERIES[0]);
  expect(() => second.read(1)).toThrow("damaged");
  expect(second.inflated()).toBe(0);
  const [memory] = [...known.values()];
  new Int32Array(memory!)[2] = -1;
  const third = await keepingSeries(shardOf(SERIES), content());
  expect(third.read(2)).toEqual(SERIES[2]);
  expect(third.read(2)).toEqual(SERIES[2]);
  expect(third.inflated()).toBe(2);
});

test("keepingSeries() takes no memory of another content, and does without where there is none", async () => {
  const { known, content } = workerMemory();
  await keepingSeries(shardOf(SERIES), content("aa"));
  await keepingSeries(shardOf(SERIES), content("bb"));
  expect(known.size).toBe(2);
  const { derived: _, ...alone } = content("dd");
  const reader = await keepingSeries(shardOf(SERIES), alone);
  expect([reader.read(0), reader.inflated()]).toEqual([SERIES[0], 1]);
});
