import { expect, test } from "vitest";
import { leftText, paceOf, rateText, seen } from "../../../../client/cli/pace.ts";
import type { JobStatus } from "../../../../client/cluster-job.ts";

function job(finished: number, erred = 0): JobStatus {
  const counts = { waiting: 0, queued: 100 - finished - erred, processing: 0, finished, erred, cancelled: 0 };
  return { id: "job", kind: "k", version: "1", tasks: 100, sealed: true, counts };
}

test("paceOf() is what ended between two looks, and what the rest takes at that rate", () => {
  const pace = paceOf(job(28, 2), seen(job(10), 1000), 3000)!;
  expect(pace).toEqual({ perSecond: 10, secondsLeft: 7 });
  expect([rateText(pace), leftText(pace)]).toEqual(["10 tasks/s", "7.0 s left"]);
});

test("paceOf() is nothing while nothing moves, and of what has ended", () => {
  expect(paceOf(job(10), seen(job(10), 0), 1000)).toBeUndefined();
  expect(paceOf(job(100), seen(job(10), 0), 1000)).toBeUndefined();
});
