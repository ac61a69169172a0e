/** pe-client cluster local: a cluster on this machine from nothing to nothing, as a user runs it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS, runWell } from "../support/client.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";
import { clusterUser, pidOf, processesOf, type ClusterUser } from "../support/clusters.ts";
import { fileFolder } from "../support/folders.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

const MAP = "m005t007";
let shards = "";
let expected = "";

beforeAll(async () => {
  const folder = await fileFolder();
  shards = await simulateShardsInto(folder);
  const here = join(folder, "here.hdf5");
  await runWell(runArgs(shards, here));
  expected = (await runWell(["export", here, "--map", MAP])).stdout;
}, HOOK_MS);

async function start(user: ClusterUser, ...more: readonly string[]) {
  return await user.told("cluster", "local", "start", "--threads", "1", ...more);
}

describe("pe-client cluster local", () => {
  test("brings up a scheduler and workers, which submit finds without being told", async () => {
    const user = await clusterUser();
    const { started, address, accessFile, members } = await start(user, "--workers", "2");
    expect(started).toBe(true);
    expect(new URL(address)).toMatchObject({ protocol: "ws:", hostname: "127.0.0.1" });
    expect(members.map(({ name, state, joined }) => [name, state, joined?.state])).toEqual([
      ["scheduler", "running", undefined],
      ["local-1", "running", "active"],
      ["local-2", "running", "active"],
    ]);
    for (const file of [accessFile, join(user.folder, "pe-cluster", "clusters", "local")])
      expect(statSync(file).mode & 0o077, file).toBe(0);

    const there = join(user.folder, "there.hdf5");
    await user.well("submit", ...runArgs(shards, there).slice(1));
    expect(await user.well("export", there, "--map", MAP)).toBe(expected);
    expect(JSON.parse(await user.well("cluster", "list", "--json"))).toMatchObject([
      { name: "local", engine: "local", workers: 2, address },
    ]);
    expect(await user.well("cluster", "local", "stop")).toContain("has ended");
    expect(await user.well("cluster", "local", "stop")).toContain('no cluster "local" runs');
    expect(processesOf(user.folder)).toEqual(new Map());
  });

  test("leaves the journal alone when it stops, and goes on with it", async () => {
    const user = await clusterUser();
    const first = await start(user, "--workers", "0");
    await user.well("submit", ...runArgs(shards, "none.hdf5", "--detach").slice(1));
    await user.well("cluster", "local", "stop");
    expect(await user.well("cluster", "list")).toContain("no clusters");
    const folder = join(user.folder, "pe-cluster", "clusters", "local");
    expect(readdirSync(folder).toSorted()).toEqual(["journal", "logs", "stopped.json"]);
    const { accessFile } = await start(user, "--workers", "0");
    expect(accessFile).toBe(first.accessFile);
    expect(JSON.parse(await user.well("status", "--json"))).toMatchObject({ jobs: [{ tasks: 16 }] });
    await user.well("cluster", "local", "stop", "--purge");
    expect(existsSync(folder)).toBe(false);
  });

  test("starts what does not run, and nothing where all of it does", async () => {
    const user = await clusterUser();
    const first = await start(user, "--workers", "2");
    const again = await start(user, "--workers", "2");
    expect([again.started, again.members.map(pidOf)]).toEqual([false, first.members.map(pidOf)]);
    const [scheduler, , second] = first.members;
    expect(await user.well("cluster", "local", "logs")).toMatch(/^scheduler on \S+ \(running\)\n(.*\n)*local-2 on/);
    const { lines } = (
      JSON.parse(await user.well("cluster", "local", "logs", "local-2", "--json")) as [{ lines: string[] }]
    )[0];
    expect(lines.join("\n")).toMatch(/connected to the scheduler at .* as local-2/);
    expect((await user.run("cluster", "local", "logs", "local-3")).stderr).toContain("scheduler, local-1, local-2");
    signalProcess(pidOf(second!), "SIGKILL");
    await eventually(
      async () => (await user.run("cluster", "local", "status")).status === 69,
      () => "status tells of the worker that is gone",
    );
    const healed = await start(user);
    expect(healed).toMatchObject({ started: true, well: true });
    expect(pidOf(healed.members[0]!)).toBe(pidOf(scheduler!));
    expect(pidOf(healed.members[2]!)).not.toBe(pidOf(second!));
    await user.well("cluster", "local", "stop", "--purge");
    // The process of a worker whose supervisor was killed leaves by itself.
    await eventually(
      () => processesOf(user.folder).size === 0,
      () => `nothing runs any more: ${JSON.stringify([...processesOf(user.folder)])}`,
    );
  });

  test("has more workers, fewer, or none, and the first ones stay", async () => {
    const user = await clusterUser();
    const pids = new Map((await start(user)).members.map((member) => [member.name, pidOf(member)]));
    for (const workers of [2, 1, 0]) {
      await user.well("cluster", "local", "scale", String(workers));
      const { well, members } = await user.told("cluster", "local", "status");
      expect([well, members.length]).toEqual([true, workers + 1]);
      expect(JSON.parse(await user.well("workers", "--json"))).toHaveLength(workers);
      if (workers > 0) expect(pidOf(members[1]!)).toBe(pids.get("local-1"));
    }
    signalProcess(pids.get("scheduler")!, "SIGKILL");
    const { status, stderr } = await user.run("cluster", "local", "scale", "1");
    expect([status, stderr]).toEqual([
      69,
      expect.stringMatching(/cluster local start brings back .* \[PE_CONNECTION\]/),
    ]);
    await user.well("cluster", "local", "stop", "--purge");
  });

  test("of which there are two asks which is meant", async () => {
    const user = await clusterUser();
    await start(user, "--workers", "0");
    await start(user, "--workers", "0", "--name", "other");
    const { status, stderr } = await user.run("status");
    expect([status, stderr]).toEqual([
      64,
      expect.stringMatching(/there are local, other; name one with --cluster NAME/),
    ]);
    await user.well("status", "--cluster", "other");
    for (const name of ["local", "other"]) await user.well("cluster", "local", "stop", "--purge", "--name", name);
  });

  test("shows the last words of a worker that does not come, and leaves the others at work", async () => {
    const user = await clusterUser();
    const { status, stdout, stderr } = await user.run(
      "cluster",
      "local",
      "start",
      "--kinds",
      join(user.folder, "nowhere"),
      "--json",
    );
    expect(status).toBe(69);
    expect(stderr).toMatch(
      /last words of local-1 at [\s\S]*nowhere[\s\S]*Cannot bring up 1 worker of 1: local-1 .* \[PE_WORKERS_MISSING\]/,
    );
    expect(JSON.parse(stdout)).toMatchObject({ well: false, address: expect.stringMatching(/^ws:/) as string });
    await user.well("cluster", "local", "stop", "--purge");
  });

  test("that cannot start its scheduler says why and leaves no cluster", async () => {
    const user = await clusterUser();
    const { address } = await start(user, "--workers", "0");
    const { port } = new URL(address);
    const taken = await user.run("cluster", "local", "start", "--name", "other", "--port", port);
    expect([taken.status, taken.stderr]).toEqual([69, expect.stringMatching(/\[PE_ADDRESS\]\n$/)]);
    expect(JSON.parse(await user.well("cluster", "list", "--json"))).toHaveLength(1);
    await user.well("cluster", "local", "stop", "--purge");
    expect(processesOf(user.folder)).toEqual(new Map());
  });
});
