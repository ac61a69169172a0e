/**
 * `pe-client cluster slurm` on a real Slurm of three nodes. Each test goes on where the one before it ended, as a day with a
 * cluster does.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client } from "../../client/client.ts";
import { TEST_KINDS } from "../support/built.ts";
import { HOOK_MS, runClient, runWell, type Outcome } from "../support/client.ts";
import { eventually, Program } from "../support/cluster-programs.ts";
import { fileFolder, testFolder } from "../support/folders.ts";
import { differences, mapsContent } from "../support/maps-files.ts";
import { noSlurm, SlurmLab } from "../support/slurm/lab.ts";

const reason = noSlurm();
const SHARDS = ["--grid", "12x10", "--shard-size", "2", "--samples", "40000", "--seed", "5", "--gzip-level", "1"];
const MAPS = ["--orders", "8", "--measures", "pe,weighted"];

describe.skipIf(reason !== undefined)("pe-client cluster slurm", () => {
  let lab: SlurmLab;
  let shards: string;
  let env: Record<string, string>;
  /** A job of somebody else of the same account. */
  let foreign: string;

  beforeAll(async () => {
    const folder = await fileFolder();
    shards = join(folder, "shards");
    await runWell(["simulate", "--model", "feedback", ...SHARDS, "--output", shards]);
    lab = await SlurmLab.start(3);
    env = { ...lab.environment, XDG_STATE_HOME: join(folder, "state") };
    foreign = (
      await lab.run("sbatch", "--parsable", "--mem=1", "--output=/dev/null", "--wrap", "exec sleep 1000")
    ).trim();
  }, HOOK_MS);

  afterAll(async () => await lab?.stop(), HOOK_MS);

  const cluster = async (...args: string[]): Promise<Outcome> =>
    await runClient(["cluster", "slurm", ...args], { env });
  const clusterWell = async (...args: string[]): Promise<string> =>
    (await runWell(["cluster", "slurm", ...args], { env })).stdout;
  const clusterFolder = (name = "slurm"): string => join(env["XDG_STATE_HOME"]!, "pe-cluster/clusters", name);

  interface Shown {
    readonly well: boolean;
    readonly members: readonly {
      role: string;
      name: string;
      host: string;
      process: string;
      state: string;
      reason?: string;
      joined: { state: string } | null;
    }[];
  }

  const status = async (...args: string[]): Promise<Shown> =>
    JSON.parse((await cluster("status", "--json", ...args)).stdout) as Shown;
  const workers = async (...args: string[]): Promise<Shown["members"]> =>
    (await status(...args)).members.filter(({ role }) => role === "worker");
  const squeue = async (format: string): Promise<string[]> =>
    (await lab.run("squeue", "-h", "-r", "-o", format)).split("\n").filter((line) => line !== "");

  /** @returns The job's number. */
  const submit = async (delays: string, ...more: string[]): Promise<string> =>
    (
      await runWell(
        ["submit", "--input", shards, ...MAPS, "--delays", delays, "--output", "none.hdf5", "--detach", ...more],
        { env },
      )
    ).stdout.trim();

  /** A client of a cluster, in this process. */
  const connected = async <Result>(name: string, act: (client: Client) => Promise<Result>): Promise<Result> => {
    const client = await Client.connect(undefined, {
      accessFile: join(clusterFolder(name), "access.json"),
      kinds: [TEST_KINDS],
    });
    try {
      return await act(client);
    } finally {
      await client.close();
    }
  };

  /** The maps of the first delay of a job are as `pe-client run` makes them. */
  const expectCorrect = async (job: string, ...more: string[]): Promise<void> => {
    const folder = await testFolder();
    const [there, here] = [join(folder, "there.hdf5"), join(folder, "here.hdf5")];
    await runWell(["attach", job, "--output", there, ...more], { env });
    await runWell(["run", "--input", shards, "--output", here, ...MAPS, "--delays", "1"]);
    const first = (name: string): boolean => name.startsWith("m008t001");
    const expected = await mapsContent(here, first);
    expect(expected.blocks.size).toBeGreaterThan(8);
    expect(differences(await mapsContent(there, first), expected)).toEqual([]);
  };

  test("start starts nothing where Slurm would refuse the workers, and says why", async () => {
    const refused = await cluster("start", "--partition", "none");
    expect([refused.status, refused.stderr]).toEqual([69, expect.stringContaining("Invalid partition name specified")]);
    expect((await runWell(["cluster", "list"], { env })).stdout).toContain("no clusters");
    expect(lab.processes().filter(({ command }) => command.includes("scheduler/main"))).toEqual([]);
  });

  test("start brings up workers as jobs, which make a correct map; given again it starts nothing", async () => {
    const started = await clusterWell("start", "--workers", "2", "--threads", "1", "--mem", "1000", "--time", "30");
    expect(started).toContain('cluster "slurm" runs in Slurm: 2 workers, 2 threads');
    await expectCorrect(await submit("1-3"));
    expect(await clusterWell("start")).toContain("runs already");
    const { well, members } = await status();
    expect(well).toBe(true);
    expect(members.map(({ role, state }) => [role, state])).toEqual([
      ["scheduler", "running"],
      ["worker", "running"],
      ["worker", "running"],
    ]);
    for (const { name, host, process, joined } of members.slice(1)) {
      expect(name).toBe(`slurm-${process.replace("job ", "")}`);
      expect(lab.nodes).toContain(host);
      expect(joined?.state).toBe("active");
    }
  });

  test("start keeps secrets from others, and out of what Slurm shows of its jobs", async () => {
    const folder = clusterFolder();
    for (const name of readdirSync(folder).filter((file) => /access/.test(file)))
      expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0);
    const [job] = await squeue("%i %j");
    expect(await squeue("%j")).toEqual(expect.arrayContaining([expect.stringMatching(/^pe-slurm-[0-9a-f]{8}$/)]));
    const { clientToken, workerToken } = JSON.parse(await lab.run("cat", join(folder, "access.json"))) as Record<
      string,
      string
    >;
    const shown = await lab.run("scontrol", "show", "job", "--details", job!.split(" ")[0]!);
    const running = lab
      .processes()
      .map(({ command, environment }) => `${command} ${environment.join(" ")}`)
      .join("\n");
    for (const token of [clientToken!, workerToken!]) expect(shown + running).not.toContain(token);
  });

  test("scale submits more, tells why one has to wait, and lets those leave that are too many", async () => {
    const crowded = await cluster("scale", "6", "--join-timeout", "3");
    expect(crowded.status).toBe(69);
    expect(crowded.stderr).toContain("waits (Resources)");
    await eventually(
      async () => (await workers()).filter(({ joined }) => joined?.state === "active").length === 5,
      () => "all that have room join",
    );
    const six = await workers();
    expect(six.find(({ state }) => state === "waiting")).toMatchObject({ reason: "Resources" });
    await clusterWell("scale", "2");
    const two = await workers();
    expect(two.map(({ name, state }) => [name, state])).toEqual(six.slice(0, 2).map(({ name }) => [name, "running"]));
    // They were asked to, and had the time.
    const logs = await lab.run("sh", "-c", `cat ${clusterFolder()}/logs/worker-*`);
    expect(logs.match(/SIGTERM: the worker finishes what runs/g)).toHaveLength(3);
    expect(logs).not.toContain("ends at once");
  });

  test("goes on when a node dies in the middle of a job, and its worker, and one that is requeued, join again", async () => {
    const job = await submit("1-6");
    const [one, two] = await workers();
    const idOf = ({ process }: { process: string }): string => process.replace("job ", "");
    await connected("slurm", async (client) => {
      const counts = async () => (await client.status()).jobs.find(({ id }) => id === job)!.counts;
      await eventually(
        async () => (await counts()).finished > 0,
        () => "the job has begun",
      );
      await lab.killNode(one!.host);
      await lab.run("scontrol", "requeue", idOf(two!));
      const { queued, processing } = await counts();
      expect(queued + processing).toBeGreaterThan(0);
    });
    const begin = async (id: string): Promise<void> => {
      await eventually(
        async () => (await squeue("%i %T")).includes(`${id} PENDING`),
        () => `${id} is queued again`,
      );
      // Slurm waits two minutes by itself.
      await lab.run("scontrol", "update", `JobId=${id}`, "StartTime=now");
    };
    await Promise.all([one!, two!].map(async (worker) => await begin(idOf(worker))));
    await expectCorrect(job);
    await eventually(
      async () => (await workers()).every(({ joined }) => joined?.state === "active"),
      () => "both have joined again",
    );
    const after = await workers();
    expect(after.map(({ name }) => name)).toEqual([one!.name, two!.name]);
    expect(after[0]!.host).not.toBe(one!.host);
  });

  test("workers leave before their time limit in the middle of a job, which others end without a failure; the scheduler may be in a job, too", async () => {
    const name = "short";
    await clusterWell("scale", "1");
    const start = ["start", "--name", name, "--workers", "0", "--threads", "1", "--mem", "1000", "--kinds", TEST_KINDS];
    const inJob = ["--scheduler-in-job", "--scheduler-args", "--time=30"];
    await clusterWell(...start, ...inJob, "--time", "1", "--leave-within", "50");
    expect((await status("--name", name)).members).toMatchObject([{ role: "scheduler", state: "running" }]);
    await connected(name, async (client) => {
      const maps = await submit("1", "--cluster", name);
      // Eighteen seconds of a thread, which there is for ten.
      const tags = Array.from({ length: 60 }, (_, tag) => tag);
      const futures = client.map<number>(
        "sleep",
        tags.map((tag) => ({ tag, ms: 300 })),
      );
      // On a busy machine it has left before it is seen to have joined.
      await cluster("scale", "1", "--name", name);
      await eventually(
        async () => (await workers("--name", name))[0]?.state === "gone",
        () => "the worker has left",
      );
      const { jobs } = await client.status();
      expect(jobs.reduce((sum, { counts }) => sum + counts.queued, 0)).toBeGreaterThan(0);
      for (const { counts } of jobs) expect(counts).toMatchObject({ processing: 0, erred: 0 });
      const log = await lab.run("sh", "-c", `cat ${clusterFolder(name)}/logs/worker-*`);
      expect(log).toMatch(/its time is up in \d+ s: the worker finishes what it can/);
      const access = join(clusterFolder(name), "worker-access.json");
      const heir = new Program(
        "worker/main.js",
        ["--access-file", access, "--threads", "8", "--kinds", TEST_KINDS],
        {},
      );
      try {
        expect(await client.gather(futures)).toEqual(tags);
        await expectCorrect(maps, "--cluster", name);
      } finally {
        await heir.kill();
      }
    });
    await clusterWell("stop", "--name", name);
  });

  test("stop ends all jobs and the scheduler, and nothing of anybody else; twice is fine", async () => {
    await clusterWell("stop");
    expect(await squeue("%i")).toEqual([foreign]);
    const running = lab.processes().map(({ command }) => command);
    expect(running.filter((command) => /(scheduler|worker)\/(main|process)/.test(command))).toEqual([]);
    expect(readdirSync(clusterFolder()).filter((file) => /access/.test(file))).toEqual([]);
    expect(existsSync(join(clusterFolder(), "journal"))).toBe(true);
    expect(await clusterWell("stop", "--purge")).toContain('no cluster "slurm" runs');
    expect(existsSync(clusterFolder())).toBe(false);
  });
});

describe("pe-client cluster slurm", () => {
  test("says what is missing where there is no Slurm, and where it refuses", async () => {
    const folder = await testFolder();
    const env = { XDG_STATE_HOME: folder, PATH: "/nowhere" };
    const { status, stderr } = await runClient(["cluster", "slurm", "start"], { env });
    expect([status, stderr]).toEqual([69, expect.stringContaining("Cannot run sbatch: there is no such program here")]);
    expect((await runClient(["cluster", "list"], { env })).stdout).toContain("no clusters");
  });
});
