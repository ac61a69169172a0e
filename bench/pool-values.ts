/**
 * Large results through the pool of threads alone: an array that is there already leaves its thread as a blob, and another task
 * reads it. Beside that what a copy of it costs, and what it would cost as a small result goes.
 */
import { join } from "node:path";
import { readValue } from "../protocol/large-values.ts";
import { decodeValue, encodeValue } from "../protocol/values.ts";
import { encodeJobCommon } from "../tasks/job-common.ts";
import type { LaneDone } from "../worker/threads/frame-run.ts";
import type { Lane } from "../worker/threads/lane.ts";
import { createWorkerPool } from "../worker/threads/pool.ts";
import { median } from "./measure.ts";

const KINDS = join("bench", "kinds");

/** Milliseconds, medians. */
export interface ValueTimes {
  readonly bytes: number;
  /** From the hand-over of a task until its result is told. */
  readonly asResult: number;
  /** The same of a task that needs it. */
  readonly asInput: number;
  /** The same of a task with a result of a few bytes. */
  readonly nothing: number;
  /** Into memory that is new, in this thread. */
  readonly oneCopy: number;
  /** Through msgpack and back, in this thread. */
  readonly packed: number;
}

/** Each round asks all of it, so that what else the machine does concerns all alike. */
export async function measureValues(bytes: number, rounds: number): Promise<ValueTimes> {
  const pool = createWorkerPool({ threads: 1, kinds: [KINDS] });
  try {
    await pool.listKinds();
    let told: ((done: LaneDone) => void) | undefined;
    const lane = pool.openLane({
      onEnded: ({ done, failed }) => {
        if (failed.length > 0) throw new Error(failed[0]!.message);
        for (const each of done) told?.(each);
      },
      onDied: (reason) => {
        throw new Error(reason);
      },
    });
    const ask = async (parameters: Uint8Array, inputs: readonly SharedArrayBuffer[]): Promise<LaneDone> =>
      await new Promise<LaneDone>((resolve) => {
        told = resolve;
        run(lane, parameters, inputs);
      });
    const times = new ValueRounds(bytes, ask);
    for (let round = -2; round < rounds; round++) {
      await times.round(round >= 0);
      pool.letGo(2 * bytes);
    }
    lane.close();
    return times.medians();
  } finally {
    await pool.close();
  }
}

function run(lane: Lane, parameters: Uint8Array, inputs: readonly SharedArrayBuffer[]): void {
  const common = COMMON;
  lane.run({
    job: 1,
    id: "bench",
    kind: "held",
    common,
    tasks: [{ task: 0, epoch: 1, attempt: 1, parameters, inputs }],
  });
}

const COMMON = encodeJobCommon({ parts: null, common: undefined });

type Ask = (parameters: Uint8Array, inputs: readonly SharedArrayBuffer[]) => Promise<LaneDone>;
type Measured = Exclude<keyof ValueTimes, "bytes">;

class ValueRounds {
  readonly #bytes: number;
  readonly #ask: Ask;
  readonly #took: Record<Measured, number[]> = { asResult: [], asInput: [], nothing: [], oneCopy: [], packed: [] };
  readonly #make: Uint8Array;
  readonly #need: Uint8Array;
  readonly #few: Uint8Array;
  readonly #array: Float64Array;

  constructor(bytes: number, ask: Ask) {
    this.#bytes = bytes;
    this.#ask = ask;
    const future = {};
    this.#make = encodeValue({ bytes });
    this.#need = encodeValue({ of: future }, (object) => (object === future ? 0 : undefined));
    this.#few = encodeValue({ copy: [1] });
    this.#array = new Float64Array(bytes / 8).fill(1);
  }

  async round(counts: boolean): Promise<void> {
    const clock = async (what: Measured, work: () => unknown): Promise<void> => {
      const startMs = performance.now();
      await work();
      if (counts) this.#took[what].push(performance.now() - startMs);
    };
    let blob: SharedArrayBuffer | undefined;
    // May collect what the round before let go.
    await this.#ask(this.#few, []);
    await clock("nothing", async () => await this.#ask(this.#few, []));
    await clock("asResult", async () => (blob = (await this.#ask(this.#make, [])).value));
    if ((readValue(blob!) as Float64Array).length !== this.#array.length) throw new Error("another array came");
    await clock("asInput", async () => await this.#ask(this.#need, [blob!]));
    await clock("oneCopy", () => new Float64Array(new SharedArrayBuffer(this.#bytes)).set(this.#array));
    await clock("packed", () => decodeValue(encodeValue(this.#array)));
  }

  medians(): ValueTimes {
    const each = Object.entries(this.#took).map(([what, took]) => [what, median(took)]);
    return { bytes: this.#bytes, ...(Object.fromEntries(each) as Record<Measured, number>) };
  }
}

export function valuesTable(times: readonly ValueTimes[]): string {
  const row = ({ bytes, asResult, asInput, nothing, oneCopy, packed }: ValueTimes): string =>
    [
      (bytes / 1e6).toFixed(1).padStart(6),
      ...[asResult, asInput, nothing, oneCopy, packed].map((ms) => ms.toFixed(2).padStart(9)),
      Math.round(bytes / 1000 / Math.max(asResult - nothing, 1e-3))
        .toString()
        .padStart(9),
    ].join(" ");
  return [
    "a Float64Array through one thread, ms, medians; MB/s as a result, without what any task costs",
    "    MB    result     input   nothing  one copy    packed      MB/s",
    ...times.map(row),
  ].join("\n");
}
