/**
 * pe-client cluster ssh on three hosts of this machine that have no package, no Node in their PATH and no systemd. Each test goes
 * on where the one before it ended, as a day with a cluster does.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, runWell } from "../support/client.ts";
import type { Told } from "../support/clusters.ts";
import { fileFolder } from "../support/folders.ts";
import { Lab, noLab, type Host, type Ran } from "../support/hosts/lab.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

const HOOK_MS = 180_000;
const reason = noLab();
/** On the hosts. */
const FOLDER = "/home/deploy/.local/state/pe-cluster/hosts";

let lab: Lab;
let folder = "";
let shards = "";

beforeAll(async () => {
  if (reason !== undefined) {
    console.warn(`test/system/cluster-ssh.test.ts is skipped: ${reason}`);
    return;
  }
  folder = await fileFolder();
  [shards, lab] = await Promise.all([simulateShardsInto(folder), Lab.start("plain", 3)]);
  mkdirSync(join(lab.shared, "bin"));
  cpSync(process.execPath, join(lab.shared, "bin", "node"));
  const key = readFileSync(join(lab.folder, "host-key.pub"), "utf8").trim();
  writeFileSync(join(folder, "known-hosts"), lab.hosts.map(({ address }) => `${address} ${key}\n`).join(""));
}, HOOK_MS);
afterAll(async () => await lab?.stop(), HOOK_MS);

/** On the control machine. */
async function client(...args: readonly string[]): Promise<Ran> {
  const env = { XDG_STATE_HOME: join(folder, "state"), PE_ACCESS_FILE: "" };
  return await lab.control(process.execPath, [join(ROOT, "dist", "client", "cli", "main.js"), ...args], { env });
}

async function well(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await client(...args);
  expect(status, `pe-client ${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

function ofSsh(): string[] {
  const options = [`UserKnownHostsFile=${join(folder, "known-hosts")}`, "ConnectTimeout=2"];
  const how = ["--identity", lab.key, ...options.flatMap((option) => ["--ssh-option", option])];
  return [...how, "--node", "/srv/shared/bin/node", "--threads", "1"];
}

function names(): string[] {
  return lab.hosts.map(({ address }) => `deploy@${address}`);
}

async function start(...more: readonly string[]): Promise<Told> {
  return JSON.parse(await well("cluster", "ssh", "start", "--json", ...more)) as Told;
}

/** States of the members, as the scheduler has them where it knows them. */
function states({ members }: Told): string[] {
  return members.map(({ name, state, joined }) => `${name} ${joined?.state ?? state}`);
}

/** What is left of pe-cluster on a host. */
async function leftOn(host: Host): Promise<string> {
  return (await host.run(`ls -A ${FOLDER} 2>/dev/null; pgrep -af "dis[t]/(scheduler|worker)/"`)).stdout;
}

describe.skipIf(reason !== undefined)("pe-client cluster ssh", () => {
  test("brings a cluster up on hosts that have nothing, with TLS, and a job makes a correct map", async () => {
    const told = await start(...names(), ...ofSsh());
    const [first, second, third] = lab.hosts.map(({ address }) => address);
    expect(told.address).toBe(`wss://${first}:8786`);
    expect(states(told)).toEqual(["scheduler running", `${first} active`, `${second} active`, `${third} active`]);

    const [there, here] = [join(folder, "there.hdf5"), join(folder, "here.hdf5")];
    await well("submit", ...runArgs(shards, there, "--upload").slice(1));
    await runWell(runArgs(shards, here));
    const map = ["--map", "m005t007"];
    expect(await well("export", there, ...map)).toBe((await runWell(["export", here, ...map])).stdout);
  });

  test("shows nobody else what opens the scheduler's doors", async () => {
    const { accessFile } = JSON.parse(await well("cluster", "ssh", "status", "--json")) as Told;
    const { clientToken, workerToken } = JSON.parse(readFileSync(accessFile, "utf8")) as Record<string, string>;
    for (const host of lab.hosts) {
      const own = `find ${FOLDER} -name 'package-*' -prune -o -not -type l`;
      expect((await host.run(`${own} -name worker-access.json -print`)).stdout).not.toBe("");
      expect((await host.run(`${own} -perm /077 -print`)).stdout).toBe("");
      // Whoever computes cannot submit.
      const opening = (await host.run(`${own} -type f -exec grep -l ${clientToken} {} +`)).stdout;
      expect(opening).toMatch(host === lab.hosts[0] ? /^\S+\/access\.json\n$/ : /^$/);
      const seen = (await host.run(`cat /proc/[0-9]*/cmdline ${FOLDER}/*/logs/*`)).stdout;
      expect(seen).toContain("worker-access.json");
      for (const token of [clientToken!, workerToken!]) expect(seen).not.toContain(token);
    }
  });

  test("starts nothing where all of it runs", async () => {
    const before = JSON.parse(await well("cluster", "ssh", "status", "--json")) as Told;
    const again = await start(...names(), ...ofSsh());
    expect([again.started, again.members.map((one) => one.process)]).toEqual([
      false,
      before.members.map((one) => one.process),
    ]);
  });

  test("has a second worker on a host, or fewer workers", async () => {
    const [first, second] = lab.hosts.map(({ address }) => address);
    await well("cluster", "ssh", "scale", "4");
    expect(JSON.parse(await well("workers", "--json"))).toHaveLength(4);
    const four = JSON.parse(await well("cluster", "ssh", "status", "--json")) as Told;
    expect(states(four).at(-1)).toBe(`${first}-2 active`);
    await well("cluster", "ssh", "scale", "2");
    const two = JSON.parse(await well("cluster", "ssh", "status", "--json")) as Told;
    expect(states(two)).toEqual(["scheduler running", `${first} active`, `${second} active`]);
    expect((await lab.hosts[2]!.run("pgrep -f 'dis[t]/worker'")).stdout).toBe("");
  });

  test("names a host that is down, and works with the others", async () => {
    const down = lab.hosts[2]!;
    await down.unplug();
    const scaled = await client("cluster", "ssh", "scale", "3");
    expect(scaled.status).toBe(69);
    expect(scaled.stderr).toMatch(new RegExp(`Cannot reach ${down.address} by ssh: .* \\[PE_ENGINE\\]\\n$`));
    const status = await client("cluster", "ssh", "status");
    expect(status.status).toBe(69);
    expect(status.stdout).toMatch(new RegExp(`^${down.address} .*unreachable: `, "m"));
    for (const { address } of lab.hosts.slice(0, 2))
      expect(status.stdout).toMatch(new RegExp(`^${address} .* active `, "m"));
    await down.plug();
    expect((await start(...names(), ...ofSsh())).well).toBe(true);
  });

  test("says that it cannot log in, or finds no Node, and leaves no cluster", async () => {
    const [host] = names();
    const locked = await client(
      "cluster",
      "ssh",
      "start",
      host!,
      "--name",
      "locked",
      "--ssh-option",
      `UserKnownHostsFile=${join(folder, "known-hosts")}`,
    );
    expect([locked.status, locked.stderr]).toEqual([
      69,
      expect.stringMatching(/Permission denied.*--identity \[PE_ENGINE\]/),
    ]);
    const bare = await client("cluster", "ssh", "start", host!, "--name", "bare", ...ofSsh().slice(0, 6));
    expect([bare.status, bare.stderr]).toEqual([
      69,
      expect.stringMatching(/finds no "node" there; install .*--node PATH \[PE_ENGINE\]/),
    ]);
    expect(JSON.parse(await well("cluster", "list", "--json"))).toHaveLength(1);
  });

  test("has its scheduler on this machine where that is asked for", async () => {
    const told = await start(names()[1]!, ...ofSsh(), "--scheduler-host", "here", "--name", "here", "--port", "8800");
    expect(told.address).toBe("wss://10.77.0.1:8800");
    expect(told.well).toBe(true);
    await well("cluster", "ssh", "stop", "--purge", "--name", "here");
  });

  test("goes through ssh where the scheduler's port lets only hosts in", async () => {
    for (const [at, host] of lab.hosts.entries()) await host.run(`ip address add 10.99.0.${at + 1}/24 dev eth0`);
    const told = await start(names()[1]!, ...ofSsh(), "--name", "far", "--workers", "0", "--address", "10.99.0.2");
    expect([told.well, told.address]).toEqual([true, expect.stringMatching(/^wss:\/\/127\.0\.0\.1:\d+$/) as string]);
    const state = join(folder, "state", "pe-cluster", "clusters", "far");
    await lab.control("ssh", ["-S", join(state, "tunnel"), "-O", "exit", "any"]);
    const { status, stdout } = await client("cluster", "ssh", "status", "--name", "far");
    expect([status, stdout]).toEqual([69, expect.stringContaining("start makes it anew")]);
    const again = await start(names()[1]!, ...ofSsh(), "--name", "far", "--address", "10.99.0.2");
    expect([again.well, again.address]).toEqual([true, told.address]);
    await well("cluster", "ssh", "stop", "--purge", "--name", "far");
    expect((await lab.control("pgrep", ["-f", `ssh.*${state}`])).stdout).toBe("");
  });

  test("ends without a trace", async () => {
    await well("cluster", "ssh", "stop");
    for (const host of lab.hosts) {
      expect(await leftOn(host)).not.toMatch(/dist\//);
      expect((await host.run(`find ${FOLDER} -name '*access*' -not -path '*/package-*'`)).stdout).toBe("");
    }
    expect(await well("cluster", "ssh", "stop")).toContain("no cluster");
    expect(await well("cluster", "ssh", "stop", "--purge")).toContain("what was left of it is removed");
    for (const host of lab.hosts) expect(await leftOn(host)).toBe("");
  });
});
