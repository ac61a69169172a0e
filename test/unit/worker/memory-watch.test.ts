import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchMemory } from "../../../worker/memory-watch.ts";

describe("watchMemory()", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("pauses above 80 %, goes on below 70 %, and tells once that the limit is reached", () => {
    const paused: boolean[] = [];
    const exceeded: number[] = [];
    let rssBytes = 0;
    const end = watchMemory({
      limitBytes: 100,
      rss: () => rssBytes,
      onMemory: (_bytes, isPaused) => void paused.push(isPaused),
      onExceeded: (bytes) => void exceeded.push(bytes),
    });
    for (rssBytes of [80, 81, 75, 70, 75, 101, 110, 50]) vi.advanceTimersByTime(250);
    end();
    vi.advanceTimersByTime(1000);
    // What is over its limit takes nothing more, however small it becomes.
    expect(paused).toEqual([false, false, true, true, false, false, true, true, true]);
    expect(exceeded).toEqual([101]);
  });
});
