/** Tells when what this client waits for cannot run now, and why: whoever waits must not have to ask what for. */
import { counted } from "../../common/counted.ts";
import type { SchedulerToClient } from "../../protocol/client-link.ts";
import { LinkLost, type SchedulerLink } from "./link.ts";
import type { SchedulerSession } from "./session.ts";

export interface Standstill {
  /** Each reason of each job once. */
  readonly tell: (text: string) => void;
  readonly firstMs?: number;
}

/** Nothing was told for so long: the scheduler is asked what is in the way. What it says twice is no passing thing. */
const FIRST_MS = 2500;
/** While nothing happens the question comes ever later: long tasks stand in nobody's way. */
const MOST_MS = 60_000;

type JobStatus = Extract<SchedulerToClient, { type: "statusIs" }>["jobs"][number];

export function tellStandstill(session: SchedulerSession, { tell, firstMs = FIRST_MS }: Standstill): void {
  const told = new Set<string>();
  const tellOnce = (text: string): void => {
    if (!told.has(text)) tell(text);
    told.add(text);
  };
  session.onLink((link) => lookAt(link, firstMs, tellOnce));
}

function lookAt(link: SchedulerLink, firstMs: number, tell: (text: string) => void): void {
  let before: ReadonlyMap<number, string> = new Map();
  let toldBefore = link.toldCount;
  let waitMs = firstMs;
  const look = async (): Promise<void> => {
    const isStill = link.watchedJobs.length > 0 && link.toldCount === toldBefore;
    toldBefore = link.toldCount;
    const stuck = isStill ? await stuckJobs(link) : [];
    for (const job of stuck) if (before.get(job.job) === job.waits) tell(textOf(job));
    waitMs = isStill && before.size > 0 ? Math.min(waitMs * 2, MOST_MS) : firstMs;
    before = new Map(stuck.map(({ job, waits }) => [job, waits]));
    plan();
  };
  const plan = (): void => {
    timer = setTimeout(() => void look().catch(onlyLost), waitMs).unref();
  };
  let timer: NodeJS.Timeout | undefined;
  plan();
  link.onLost(() => clearTimeout(timer));
}

/** The next connection is looked at anew. */
function onlyLost(error: unknown): void {
  if (!(error instanceof LinkLost)) throw error;
}

type StuckJob = JobStatus & { readonly waits: string };

async function stuckJobs(link: SchedulerLink): Promise<readonly StuckJob[]> {
  const { jobs } = await link.ask({ type: "status" });
  const watched = new Set(link.watchedJobs);
  return jobs.filter((job): job is StuckJob => job.waits !== undefined && watched.has(job.job));
}

function textOf({ id, kind, counts: { queued }, waits }: StuckJob): string {
  return `${counted(queued, "task")} of kind "${kind}" ${queued === 1 ? "waits" : "wait"} (job ${id}): ${waits}`;
}
