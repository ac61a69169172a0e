/** Frames of tasks of the test kinds, and how they ended. */
import { afterEach } from "vitest";
import type * as PoolModule from "../../worker/threads/pool.ts";
import type { Ended } from "../../worker/threads/frame-run.ts";
import type { Frame } from "../../worker/threads/frame.ts";
import type { PoolOptions, WorkerPool } from "../../worker/threads/pool.ts";
import { readValue } from "../../protocol/large-values.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { encodeJobCommon } from "../../tasks/job-common.ts";
import { built, TEST_KINDS } from "./built.ts";

const open: WorkerPool[] = [];

afterEach(async () => {
  for (const pool of open.splice(0)) await pool.destroy();
});

export async function openPool(options: Partial<PoolOptions> = {}): Promise<WorkerPool> {
  const { createWorkerPool } = await built<typeof PoolModule>("worker/threads/pool.ts");
  const pool = createWorkerPool({ threads: 1, kinds: [TEST_KINDS], ...options });
  open.push(pool);
  return pool;
}

/** How a frame ended: each task was told, or its thread died under the first one that was not. */
export type FrameEnd = { readonly type: "ended" } | { readonly type: "died"; readonly reason: string };

export interface FrameOutcome {
  readonly end: FrameEnd;
  /** By task, in the order in which they were told. */
  readonly results: Map<number, unknown>;
  /** Those of `results` that came as blobs. */
  readonly blobs: Map<number, SharedArrayBuffer>;
  readonly failures: Map<number, Ended["failed"][number]>;
  /** Calls that told of ends. */
  readonly calls: number;
}

export interface FrameSpec {
  readonly kind: string;
  readonly parameters: readonly unknown[];
  readonly common?: unknown;
  readonly parts?: string | null;
  /** Of each task: blobs, and values that are none. */
  readonly inputs?: readonly (readonly unknown[])[];
  readonly signal?: AbortSignal;
  onEnded?(ended: Ended): void;
}

/** Tasks are numbered from `first`. */
export function frameOf(
  kind: string,
  parameters: readonly unknown[],
  more: Pick<FrameSpec, "common" | "parts" | "inputs"> & { readonly first?: number } = {},
): Frame {
  const { common, parts = null, inputs = [], first = 0 } = more;
  return {
    job: 1,
    id: "job",
    kind,
    common: encodeJobCommon({ parts, common }),
    tasks: parameters.map((value, place) => ({
      task: first + place,
      epoch: 1,
      attempt: 1,
      parameters: value instanceof Uint8Array ? value : encodeValue(value),
      inputs: (inputs[place] ?? []).map((input) => (input instanceof SharedArrayBuffer ? input : encodeValue(input))),
    })),
  };
}

export async function runFrame(pool: WorkerPool, spec: FrameSpec): Promise<FrameOutcome> {
  const { kind, parameters, common, parts = null, inputs = [], signal, onEnded } = spec;
  const results = new Map<number, unknown>();
  const blobs = new Map<number, SharedArrayBuffer>();
  const failures = new Map<number, Ended["failed"][number]>();
  let calls = 0;
  const frame = frameOf(kind, parameters, { common, parts, inputs });
  await pool.listKinds();
  const end = await new Promise<FrameEnd>((resolve) => {
    const lane = pool.openLane({
      onEnded: (ended) => {
        calls++;
        for (const { task, result, value } of ended.done) {
          results.set(task, value === undefined ? decodeValue(result) : readValue(value));
          if (value !== undefined) blobs.set(task, value);
        }
        for (const failed of ended.failed) failures.set(failed.task, failed);
        onEnded?.(ended);
        if (results.size + failures.size < parameters.length) return;
        lane.close();
        resolve({ type: "ended" });
      },
      onDied: (reason) => resolve({ type: "died", reason }),
    });
    signal?.addEventListener("abort", () => lane.kill(String(signal.reason)), { once: true });
    lane.run(frame);
  });
  return { end, results, blobs, failures, calls };
}
