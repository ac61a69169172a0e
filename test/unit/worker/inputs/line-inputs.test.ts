import { beforeEach, describe, expect, test } from "vitest";
import { handKey, type HandOut, type HeldValue } from "../../../../worker/core/state.ts";
import type { Frame } from "../../../../worker/threads/frame.ts";
import { LineInputs } from "../../../../worker/inputs/line-inputs.ts";

const job = (number: number, kind = "reads") => {
  return { type: "job", job: number, id: `job-${number}`, kind, version: "1", common: new Uint8Array(0) } as const;
};

const [ONE, TWO, THREE] = [job(1), job(2), job(3, "computes")];

describe("LineInputs", () => {
  let asked: { frame: Frame; whom: object }[], forgotten: object[], line: LineInputs;
  const state = { jobs: new Map(), hands: new Map<number, HandOut>(), line: [] as HandOut[], slots: [] as never[] };
  const slot = (frame: HandOut[]) => ({ number: 0, frame, begunMs: 0, killedFor: undefined });

  beforeEach(() => {
    [asked, forgotten] = [[], []];
    line = new LineInputs({
      areInputsWorthReading: (kind) => kind === "reads",
      prefetch: (frame, whom) => void asked.push({ frame, whom }),
      forget: (whom) => void forgotten.push(whom),
    });
    state.jobs.clear();
    state.hands.clear();
    state.line = [];
  });

  function hand(task: number, of: ReturnType<typeof job>, name: "line" | "frame" = "line"): HandOut {
    state.jobs.set(of.job, of);
    const made: HandOut = {
      job: of,
      task,
      epoch: 1,
      attempt: 1,
      timeoutMs: 0,
      parameters: new Uint8Array(0),
      inputs: [],
      values: [],
      state: name === "line" ? { name } : { name, slot: 0 },
    };
    state.hands.set(handKey(of.job, task), made);
    return made;
  }

  const tasksAsked = (): number[][] => asked.map(({ frame: { tasks } }) => tasks.map(({ task }) => task));

  test("has the inputs read of tasks that wait, each once, job by job", () => {
    state.line = [hand(1, ONE), hand(2, ONE), hand(3, TWO)];
    line.look(state);
    expect(tasksAsked()).toEqual([[1, 2], [3]]);
    state.line.push(hand(4, TWO));
    line.look(state);
    expect(tasksAsked()).toEqual([[1, 2], [3], [4]]);
  });

  test("passes over tasks that run, and kinds that name no inputs", () => {
    const [running, next] = [hand(1, ONE, "frame"), hand(2, ONE, "frame")];
    state.line = [hand(3, THREE), hand(4, ONE)];
    line.look({ ...state, slots: [slot([running, next])] });
    expect(tasksAsked()).toEqual([[2, 4]]);
  });

  test("passes over tasks that need large values", () => {
    const value: HeldValue = {
      id: "job-9",
      task: 5,
      bytes: 1e6,
      state: "here",
      isCopy: false,
      users: new Set(),
      isKept: false,
      isFreed: false,
      made: { epoch: 1, attempt: 1 },
    };
    const needs: HandOut = { ...hand(2, ONE), inputs: [value], values: [value] };
    state.line = [hand(1, ONE), needs, hand(3, ONE)];
    line.look(state);
    expect(tasksAsked()).toEqual([[1, 3]]);
  });

  test("forgets tasks that have run, were taken back, or are not wanted, when all that came with them are gone", () => {
    const hands = [1, 2, 3].map((task) => hand(task, ONE));
    state.line = hands;
    line.look(state);
    hands[0]!.state = { name: "storing" };
    state.hands.delete(handKey(1, 2));
    state.line = [hands[2]!];
    line.look(state);
    expect(forgotten).toEqual([]);
    hands[2]!.state = { name: "dropped", slot: 0, sinceMs: 0 };
    line.look(state);
    expect(forgotten).toEqual([asked[0]!.whom]);
  });
});
