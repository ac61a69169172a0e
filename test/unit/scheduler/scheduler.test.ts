import { readdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { PeError } from "../../../common/errors.ts";
import type { LogLine } from "../../../common/log.ts";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import type { Connection } from "../../../protocol/connection.ts";
import { pair } from "../../../protocol/memory.ts";
import { schedulerToWorker, workerToScheduler } from "../../../protocol/worker-link.ts";
import { openJournal } from "../../../scheduler/journal/journal.ts";
import { encodeRecord, JOURNAL_VERSION } from "../../../scheduler/records.ts";
import { startScheduler, type Scheduler, type SchedulerOptions } from "../../../scheduler/scheduler.ts";
import { errno, faultyFiles, inFolder, until } from "../../support/journal.ts";
import { RawClient } from "../../support/raw-client.ts";
import { RawWorker, type RawWorkerOptions } from "../../support/raw-worker.ts";

class Cluster {
  readonly lines: LogLine[] = [];
  readonly fatal: PeError[] = [];
  readonly workers: RawWorker[] = [];
  scheduler!: Scheduler;

  static async start(options: Partial<SchedulerOptions> = {}): Promise<Cluster> {
    const cluster = new Cluster();
    await cluster.restart(options);
    clusters.add(cluster);
    return cluster;
  }

  async restart(options: Partial<SchedulerOptions> = {}): Promise<void> {
    this.scheduler = await startScheduler({
      log: (line) => this.lines.push(line),
      onFatal: (error) => this.fatal.push(error),
      ...options,
    });
    for (const worker of this.workers) this.connect(worker);
  }

  connect(worker: RawWorker): void {
    const [theirs, ours] = pair({ link: { out: schedulerToWorker, in: workerToScheduler }, codec: true });
    this.scheduler.acceptWorker(theirs);
    worker.connect(ours);
  }

  worker(options: RawWorkerOptions = {}): RawWorker {
    const worker = new RawWorker({ name: `w${this.workers.length}`, ...options });
    this.workers.push(worker);
    this.connect(worker);
    return worker;
  }

  clientPair(bufferedBytesMax?: number): Parameters<Scheduler["acceptClient"]>[0] {
    const [theirs, ours] = pair({
      link: { out: schedulerToClient, in: clientToScheduler },
      codec: true,
      ...(bufferedBytesMax !== undefined && { bufferedBytesMax }),
    });
    this.scheduler.acceptClient(theirs);
    return ours as never;
  }

  client(protocol?: number): RawClient {
    return new RawClient(this.clientPair() as unknown as Connection<never, never>, protocol);
  }

  texts(): string {
    return this.lines.map(({ text }) => text).join("\n");
  }

  async close(): Promise<void> {
    await this.scheduler.close().catch(() => undefined);
    for (const worker of this.workers.splice(0)) await worker.close();
  }
}

const clusters = new Set<Cluster>();
afterEach(async () => {
  for (const cluster of clusters) await cluster.close();
  clusters.clear();
});

function textsOf(results: ReadonlyMap<number, Uint8Array>): string[] {
  return [...results.entries()].toSorted(([a], [b]) => a - b).map(([, bytes]) => Buffer.from(bytes).toString());
}

const indices = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

describe("startScheduler()", () => {
  test("without a journal runs a job through the real cores", async () => {
    const cluster = await Cluster.start();
    cluster.worker();
    cluster.worker();
    const client = cluster.client();
    const job = await client.submit(500);
    expect(textsOf(await client.results(job))).toEqual(indices(500));
    const { status, tasks, workers, connections, journal, epoch } = cluster.scheduler.health();
    expect([status, tasks.finished, workers.active, workers.slots, journal]).toEqual(["ok", 500, 2, 4, undefined]);
    expect(connections).toEqual({ workers: 2, clients: 1, messagesWaiting: 0 });
    expect(epoch).toBeGreaterThan(1.6e9);
    expect(cluster.texts()).toContain('worker "w0" at memory connected');
  });

  test("goes on with its journal where it was closed, and runs nothing again", () =>
    inFolder(async (journal) => {
      const cluster = await Cluster.start({ journal });
      const worker = cluster.worker({ run: (task) => (task < 60 ? Buffer.from(String(task)) : undefined) });
      const client = cluster.client();
      const job = await client.submit(100);
      await until(() => client.of("finished").reduce((sum, { tasks }) => sum + tasks.length, 0) === 60);
      const { epoch } = cluster.scheduler;
      await cluster.scheduler.close();
      expect(client.end?.reason).toBe("the scheduler stops");
      // What it still runs is adopted, not begun again.
      await cluster.restart({ journal });
      expect(cluster.scheduler.epoch).toBeGreaterThan(epoch);
      const again = cluster.client();
      const same = await again.submit(100);
      expect(same).toBe(job);
      const before = new Set(worker.begun);
      worker.finish();
      await until(() => {
        worker.finish();
        return again.of("ended").length > 0;
      });
      expect(textsOf(await again.results(job))).toEqual(indices(100));
      expect(worker.begun.length).toBe(new Set(worker.begun).size);
      expect(before.size).toBeGreaterThan(60);
      await again.close();
    }));

  test("takes snapshots under load, and restores from them", () =>
    inFolder(async (journal) => {
      const cluster = await Cluster.start({ journal, keeping: { snapshotAfterBytes: 20_000 } });
      for (let count = 0; count < 3; count++) cluster.worker();
      const client = cluster.client();
      const job = await client.submit(5000);
      expect(textsOf(await client.results(job))).toEqual(indices(5000));
      await until(() => /snapshot of \d+ records in \d+ ms, of which \d+ ms stood still/.test(cluster.texts()));
      await cluster.scheduler.close();
      expect(readdirSync(journal).some((name) => name.startsWith("snapshot-"))).toBe(true);
      await cluster.restart({ journal });
      const again = cluster.client();
      expect(await again.submit(5000)).toBe(job);
      expect(textsOf(await again.results(job))).toEqual(indices(5000));
      await again.close();
    }));

  test("leaves a snapshot behind when it stops after much work", () =>
    inFolder(async (journal) => {
      const cluster = await Cluster.start({ journal });
      const filler = Buffer.alloc(30_000, "x");
      cluster.worker({ run: () => filler });
      const client = cluster.client();
      await client.results(await client.submit(200));
      await cluster.scheduler.close();
      expect(readdirSync(journal).filter((name) => name.startsWith("snapshot-"))).toHaveLength(1);
      await cluster.restart({ journal });
      expect(cluster.scheduler.health().tasks.finished).toBe(200);
    }));

  test("tells a client who has just come far more than a connection holds", async () => {
    const cluster = await Cluster.start();
    const filler = Buffer.alloc(20_000, "x");
    cluster.worker({ run: () => filler });
    const client = cluster.client();
    const job = await client.submit(3000);
    await client.results(job);
    // 60 MB at once, through a connection that is cut at 8 MB.
    const late = new RawClient(cluster.clientPair(8 << 20) as unknown as Connection<never, never>);
    await late.watch(job);
    expect((await late.results(job)).size).toBe(3000);
    expect(late.end).toBeUndefined();
  });

  test("turns away another protocol version with both versions named", async () => {
    const cluster = await Cluster.start();
    const client = cluster.client(99);
    await until(() => client.end !== undefined);
    expect(client.of("refuse")[0]?.message).toMatch(/it speaks protocol 99 \(raw\), the scheduler 1; update the older/);
    const worker = cluster.worker({ protocol: 98 });
    await until(() => worker.end !== undefined);
    expect(worker.refused).toMatch(/it speaks protocol 98 \(raw\), the scheduler 1/);
    expect(cluster.scheduler.health().connections.clients).toBe(0);
  });

  test("ends a connection whose requests come before its greeting, and goes on with the others", async () => {
    const cluster = await Cluster.start();
    const rude = cluster.clientPair() as unknown as Connection<{ type: string; request: number }, unknown>;
    let reason: string | undefined;
    rude.onClose((end) => (reason = end.reason));
    rude.send({ type: "status", request: 1 });
    rude.send({ type: "status", request: 2 });
    await until(() => reason !== undefined);
    expect(reason).toBe("said status before hello");
    expect((await cluster.client().ask({ type: "status" }, "statusIs")).workers).toEqual([]);
  });

  test("waits for a full disk without telling anybody, and resumes by itself", () =>
    inFolder(async (journal) => {
      const { files, faults } = faultyFiles();
      const cluster = await Cluster.start({ journal, keeping: { files, retryMs: 1 } });
      const client = cluster.client();
      await client.ask({ type: "status" }, "statusIs");
      faults.before = (act) => {
        if (act === "write") throw errno("ENOSPC");
      };
      const submitted = client.submit(50);
      await until(() => cluster.scheduler.health().status === "disk-full");
      expect(client.of("opened")).toEqual([]);
      // A worker is welcome, a client is not listened to.
      cluster.worker();
      await until(() => cluster.scheduler.health().workers.active === 1);
      const late = cluster.client();
      await until(() => late.of("welcome").length === 1);
      const asked = late.ask({ type: "status" }, "statusIs");
      await new Promise((done) => setTimeout(done, 20));
      expect(late.told).toHaveLength(1);
      delete faults.before;
      const job = await submitted;
      expect(textsOf(await client.results(job))).toEqual(indices(50));
      expect((await asked).jobs).toHaveLength(1);
      expect(cluster.scheduler.health().status).toBe("ok");
      expect(cluster.texts()).toMatch(/the disk of the journal is full[^]*has room again/);
    }));

  test("ends for good when the disk fails, and has told nobody of what was not durable", () =>
    inFolder(async (journal) => {
      const { files, faults } = faultyFiles();
      const cluster = await Cluster.start({ journal, keeping: { files } });
      const client = cluster.client();
      await client.ask({ type: "status" }, "statusIs");
      faults.before = (act) => {
        if (act === "dataSync") throw errno("EIO");
      };
      const submitted = client.submit(5).catch((error: unknown) => error);
      await until(() => cluster.fatal.length > 0);
      expect(cluster.fatal.map(({ code, exit }) => [code, exit])).toEqual([["PE_JOURNAL_FAILED", 74]]);
      expect(cluster.fatal[0]!.message).toContain("EIO");
      await cluster.scheduler.close();
      expect(String(await submitted)).toContain("the connection ended");
      expect(client.of("opened")).toEqual([]);
      expect(cluster.scheduler.health().status).toBe("stopping");
      await cluster.restart({ journal });
    }));

  test("refuses a journal that somebody has, and one whose records contradict each other", () =>
    inFolder(async (journal) => {
      const cluster = await Cluster.start({ journal });
      await expect(Cluster.start({ journal })).rejects.toMatchObject({ code: "PE_OUTPUT_BUSY" });
      await cluster.scheduler.close();
      const opened = await openJournal(journal, {
        content: JOURNAL_VERSION,
        onDurable: () => undefined,
        onFatal: () => undefined,
      });
      opened.journal.append(encodeRecord({ type: "sealed", job: 7 }));
      await opened.journal.close();
      await expect(Cluster.start({ journal })).rejects.toMatchObject({
        code: "PE_JOURNAL_CORRUPT",
        message: expect.stringContaining("job 7, which was not opened") as string,
      });
      // And it has given the folder back.
      await expect(Cluster.start({ journal })).rejects.toMatchObject({ code: "PE_JOURNAL_CORRUPT" });
    }));

  test("counts records as the core does when one of them is cut for the journal", () =>
    inFolder(async (journal) => {
      const cluster = await Cluster.start({ journal });
      const client = cluster.client();
      const job = await client.submit(1_000_000);
      await client.ask({ type: "cancel", job }, "ok");
      await until(() => client.of("ended").length > 0);
      expect(client.of("ended")[0]!.counts.cancelled).toBe(1_000_000);
      await client.ask(
        { type: "open", id: "b", kind: "k", version: "1", common: new Uint8Array(0), maxFails: 0, transient: false },
        "opened",
      );
      await cluster.scheduler.close();
      await cluster.restart({ journal });
      expect(cluster.scheduler.health().tasks.cancelled).toBe(1_000_000);
    }));
});

describe("onReleased", () => {
  test("is told of each job that is gone for good, and after a crash again", async () => {
    await inFolder(async (folder) => {
      const told: string[] = [];
      const options = { journal: folder, onReleased: (job: string) => told.push(job) };
      const cluster = await Cluster.start(options);
      const client = cluster.client();
      for (const id of ["one", "two"]) await client.submit(0, { id });
      await client.ask({ type: "release", job: 1 }, "ok");
      expect(told).toEqual(["one"]);
      await client.submit(0, { id: "one" });
      await client.ask({ type: "release", job: 2 }, "ok");
      expect(told).toEqual(["one", "two"]);
      await cluster.close();
      await cluster.restart(options);
      // Of what was opened again since, nothing.
      expect(told).toEqual(["one", "two", "two"]);
      await cluster.close();
    });
  });
});
