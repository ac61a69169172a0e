/**
 * `ansible-playbook start.yml` and its sisters on hosts of this machine: three with systemd and three without, side by side. Each
 * test goes on where the one before it on these hosts ended, as a day with a cluster does.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runWell } from "../support/client.ts";
import { eventually } from "../support/cluster-programs.ts";
import { fileFolder } from "../support/folders.ts";
import { Lab, noLab, PASSWORD, type Host } from "../support/hosts/lab.ts";
import { Control, makeBundle, makeNodeArchive } from "../support/hosts/plays.ts";
import { s3InLab, type S3InLab } from "../support/hosts/s3.ts";
import { reasonAgainstCeph } from "../support/s3/ceph.ts";

const HOOK_MS = 180_000;
const reason = noLab();
const SHARDS = ["--grid", "12x5", "--shard-size", "2", "--samples", "40000", "--seed", "5", "--gzip-level", "1"];
const CELLS = 60;
/** With the shards and a hundred delays some 25 s of one thread. */
const MAPS = ["--orders", "8", "--measures", "pe,weighted"];

// One after the other in each lab; what the file has begun for both is done before.
const inTurn = test.sequential;
const AT_ONCE = { concurrent: true };

let made: { bundle: string; node: string; shards: string };

beforeAll(async () => {
  if (reason !== undefined) {
    console.warn(`test/system/hosts.test.ts is skipped: ${reason}`);
    return;
  }
  const folder = await fileFolder();
  const shards = join(folder, "shards");
  const [bundle, node] = await Promise.all([
    makeBundle(folder),
    makeNodeArchive(folder),
    runWell(["simulate", "--model", "feedback", ...SHARDS, "--output", shards]),
  ]);
  made = { bundle, node, shards };
}, HOOK_MS);

/** As root on the scheduler's host. */
const ASK = "PE_ACCESS_FILE=/etc/pe-cluster/access.json pe-client";

/** What is left of pe-cluster on a host: files, processes, units. */
async function leftOn(host: Host): Promise<string> {
  const look = [
    "ls -d /opt/pe-cluster /etc/pe-cluster /var/lib/pe-cluster /var/log/pe-cluster /usr/local/bin/pe-* 2>/dev/null",
    "ls /etc/systemd/system/pe-* /etc/systemd/system/*/pe-* /etc/security/limits.d/pe-* 2>/dev/null",
    "pgrep -af 'dist/(scheduler|worker)/(main|process)'",
    "getent passwd pe-cluster; getent group pe-cluster",
  ];
  return (await host.run(`(${look.join("; ")}) | grep -v "^$"`)).stdout;
}

/** Maps of the shards, computed on the hosts: a job that was submitted on one of them, ended by `act`, looked at from here. */
async function correctMaps(
  lab: Lab,
  control: Control,
  { input, environment = {} }: Input,
  delays: string,
  act: () => Promise<void> = async () => await Promise.resolve(),
): Promise<void> {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value} `);
  const submit = `${variables.join("")}${ASK} submit --input ${input} ${MAPS.join(" ")} --delays ${delays}`;
  const submitted = await lab.hosts[0]!.run(`${submit} --output /srv/shared/maps.hdf5 --detach`);
  expect(submitted.status, submitted.stderr).toBe(0);
  const job = submitted.stdout.trim();
  await act();
  const maps = join(lab.folder, `${job}.hdf5`);
  await control.clientWell("attach", job, "--output", maps);
  const local = join(lab.folder, `${job}-local.hdf5`);
  await control.localWell("run", "--input", made.shards, "--output", local, ...MAPS, "--delays", "1");
  for (const map of ["m008t001", "m008t001_weighted"]) {
    const [there, here] = await Promise.all(
      [maps, local].map(async (file) => await control.localWell("export", file, "--map", map)),
    );
    expect(there, map).toBe(here);
    expect(here!.split("\n").length).toBeGreaterThan(CELLS);
  }
}

/** Where the shards are for those who have these variables. */
interface Input {
  readonly input: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const SHARED: Input = { input: "/srv/shared/shards" };

async function shareShards(lab: Lab): Promise<void> {
  await lab.control("cp", ["-r", made.shards, join(lab.shared, "shards")]);
}

describe.skipIf(reason !== undefined)(
  "on hosts with systemd, by address and with a key, ansible-playbook",
  AT_ONCE,
  () => {
    let lab: Lab;
    let control: Control;

    beforeAll(async () => {
      lab = await Lab.start("systemd", 3);
      await shareShards(lab);
      const [first, second, third] = lab.hosts.map(({ address }) => address);
      const inventory = `[scheduler]\n${first}\n\n[workers]\n${first}\n${second}\n${third}\n`;
      control = new Control(lab, inventory, {
        ansible_ssh_private_key_file: lab.key,
        pe_cluster_bundle: made.bundle,
      });
    }, HOOK_MS);

    afterAll(async () => await lab?.stop(), HOOK_MS);

    inTurn(
      "start.yml brings a cluster up from nothing, and its second run, for one host, changes nothing",
      async () => {
        await control.playWell("start");
        expect(await control.workers()).toEqual(lab.hosts.map(({ address }) => address));
        // Of all hosts restart.yml tells below, which begins with the same, and of the scheduler the hosts without systemd.
        expect(await control.playWell("start", "--limit", lab.hosts[1]!.address)).toMatchObject({ changed: 0 });
      },
    );

    inTurn("start.yml leaves secrets to their owners, and units as they should be", async () => {
      for (const name of ["access.json", "access.key.pem", "worker-access.json"])
        expect(statSync(join(lab.folder, "access", name)).mode & 0o077, name).toBe(0);
      const { clientToken } = JSON.parse(readFileSync(control.accessFile, "utf8")) as { clientToken: string };
      const [first, second] = lab.hosts;
      const modes = await first!.run("stat -c '%U %a' /etc/pe-cluster/*");
      expect(new Set(modes.stdout.trim().split("\n"))).toEqual(new Set(["pe-cluster 600"]));
      // A worker's host has no key to submit with.
      expect(
        (await second!.run(`grep -rl ${clientToken} /etc /opt/pe-cluster/current/dist /var/lib/pe-cluster`)).stdout,
      ).toBe("");
      const shown = await second!.run(
        "systemctl show pe-worker -p User -p NoNewPrivileges -p ProtectSystem -p PrivateTmp -p Restart -p MemoryMax -p UnitFileState",
      );
      expect(shown.stdout.trim().split("\n")).toEqual(
        expect.arrayContaining([
          "User=pe-cluster",
          "NoNewPrivileges=yes",
          "ProtectSystem=strict",
          "PrivateTmp=yes",
          "Restart=always",
          expect.stringMatching(/^MemoryMax=\d+$/) as string,
          "UnitFileState=enabled",
        ]),
      );
    });

    inTurn("start.yml opens a cluster to clients that reach it by ssh alone", async () => {
      const options = [
        "BatchMode=yes",
        `UserKnownHostsFile=${join(lab.folder, "known-hosts")}`,
        "ExitOnForwardFailure=yes",
      ];
      const args = ["-i", lab.key, ...options.flatMap((option) => ["-o", option]), "-f", "-N"];
      const tunnel = ["ssh", ...args, "-L", "8786:localhost:8786", `deploy@${lab.hosts[0]!.address}`].join(" ");
      expect((await lab.control("sh", ["-c", `${tunnel} >/dev/null 2>&1`])).status).toBe(0);
      const all = await control.clientWell("workers", "--json", "--scheduler", "localhost:8786");
      expect(JSON.parse(all)).toHaveLength(3);
    });

    inTurn("restart.yml lets a running job go on to a correct map", async () => {
      const pidsOf = async (service: string): Promise<string[]> =>
        await Promise.all(
          lab.hosts.map(async (host) => (await host.run(`systemctl show ${service} -p MainPID --value`)).stdout),
        );
      const [schedulers, workers] = [await pidsOf("pe-scheduler"), await pidsOf("pe-worker")];
      // All is up to date, so that what it begins with takes its time and changes nothing.
      const { printed, played } = control.watch("restart", "PLAY [Install the workers]");
      await printed;
      await correctMaps(lab, control, SHARED, "1-100", async () => {
        await eventually(
          async () => !["0\n", schedulers[0]].includes((await pidsOf("pe-scheduler"))[0]),
          () => "the scheduler is another process",
        );
        const { status, stdout } = await lab.hosts[0]!.run(`${ASK} status --json || (sleep 2; ${ASK} status --json)`);
        expect(status, stdout).toBe(0);
        const { jobs } = JSON.parse(stdout) as { jobs: { tasks: number; counts: { finished: number } }[] };
        // It goes on under the new one.
        expect(jobs[0]!.counts.finished).toBeLessThan(jobs[0]!.tasks);
        // Each of them anew, and nothing else.
        expect(await played).toMatchObject({ status: 0, changed: 4 });
      });
      for (const [index, pid] of (await pidsOf("pe-worker")).entries()) expect(pid).not.toBe(workers[index]);
      expect(await control.workers()).toHaveLength(3);
    });

    inTurn("start.yml made services that come back when they are killed", async () => {
      const host = lab.hosts[1]!;
      const before = (await host.run("systemctl show pe-worker -p MainPID --value")).stdout.trim();
      await host.run("systemctl kill --signal=KILL pe-worker");
      await eventually(
        async () => {
          const { stdout } = await host.run("systemctl show pe-worker -p MainPID --value");
          return !["0", "", before].includes(stdout.trim()) && (await control.workers()).includes(host.address);
        },
        () => `the worker of ${host.name} comes back`,
      );
    });

    inTurn("status.yml tells what runs where", async () => {
      const { stdout, changed } = await control.playWell("status");
      expect(stdout).toMatch(/pe-scheduler: .*ActiveState=active/);
      expect(stdout.match(/pe-worker: .*ActiveState=active/g)).toHaveLength(3);
      expect(changed).toBe(0);
    });

    inTurn("stop.yml stops all, as often as it is run", async () => {
      await control.playWell("stop");
      for (const host of lab.hosts)
        expect((await host.run("systemctl is-active pe-worker pe-scheduler")).stdout).not.toMatch(/^active/m);
      expect((await control.playWell("stop")).changed).toBe(0);
    });

    inTurn("purge.yml asks first, and then leaves nothing", async () => {
      const refused = await control.play("purge");
      expect(refused.status).not.toBe(0);
      expect(refused.stdout).toContain("removes pe-cluster, its journal and all results");
      expect(await leftOn(lab.hosts[0]!)).toContain("/var/lib/pe-cluster");
      await control.playWell("purge", "-e", "pe_cluster_purge=yes", "-e", "pe_cluster_purge_user=true");
      for (const host of lab.hosts) expect(await leftOn(host), host.name).toBe("");
      // The tokens are the user's.
      expect(existsSync(control.accessFile)).toBe(true);
    });
  },
);

describe.skipIf(reason !== undefined)(
  "on hosts without systemd, by aliases and with a password, ansible-playbook",
  AT_ONCE,
  () => {
    let lab: Lab;
    let control: Control;
    let settings: Record<string, string>;
    let aliases: string[];
    let s3: S3InLab | undefined;

    beforeAll(async () => {
      lab = await Lab.start("plain", 3);
      const against = reasonAgainstCeph();
      if (against === undefined) s3 = await s3InLab(lab, made.shards);
      else console.warn(`shards in S3 are not tried with hosts: ${against}`);
      if (s3 === undefined) await shareShards(lab);
      aliases = ["head", "one", "two"].map(
        (name, index) => `${name} ansible_host=${lab.hosts[index]!.address} ansible_port=22`,
      );
      settings = {
        ansible_password: PASSWORD,
        pe_cluster_bundle: made.bundle,
        pe_cluster_node_archive: made.node,
        ...s3?.settings,
      };
      control = new Control(lab, `[masters]\n${aliases[0]}\n\n[slaves]\n${aliases[1]}\n${aliases[2]}\n`, settings);
    }, HOOK_MS);

    afterAll(async () => {
      await lab?.stop();
      await s3?.stop();
    }, HOOK_MS);

    inTurn("start.yml refuses two schedulers, and an inventory without any, and says why", async () => {
      const two = new Control(lab, `[scheduler]\nhead\n[masters]\none\n[workers]\ntwo\n`, settings);
      const refused = await two.play("start");
      expect(refused.status).not.toBe(0);
      expect(refused.stdout).toContain("Cannot use 2 schedulers (head, one): a cluster has one");
      const none = await new Control(lab, "[workers]\nhead\n", settings).play("start");
      expect(none.status).not.toBe(0);
      expect(none.stdout).toContain("Cannot find the scheduler");
      control = new Control(lab, `[masters]\n${aliases[0]}\n\n[slaves]\n${aliases[1]}\n${aliases[2]}\n`, settings);
    });

    inTurn(
      "start.yml brings a cluster up that makes a correct map of shards in S3, with the credentials of a profile",
      async () => {
        for (const host of lab.hosts) expect((await host.run("command -v node npm")).stdout).toBe("");
        await control.playWell("start");
        expect(await control.workers()).toEqual(["one", "two"]);
        await correctMaps(lab, control, s3 ?? SHARED, "1-3");
        if (s3 === undefined) return;
        // Those who compute have them, and nobody else can read them.
        const holders = await Promise.all(
          lab.hosts.map(async (host) => (await host.run("stat -c '%U %a' /etc/pe-cluster/aws-credentials")).stdout),
        );
        expect(holders).toEqual(["", "pe-cluster 600\n", "pe-cluster 600\n"]);
      },
    );

    inTurn(
      "start.yml starts what was killed and changes nothing else, and names the host that is down while the others work",
      async () => {
        const [, one, two] = lab.hosts;
        await one!.run("kill -9 $(cat /var/lib/pe-cluster/pe-worker.pid)");
        await two!.unplug();
        const played = await control.play("start");
        expect(played.status, played.stdout).not.toBe(0);
        expect(played.hosts.get("two")).toMatchObject({ unreachable: 1 });
        expect(played.hosts.get("one")).toMatchObject({ unreachable: 0, failed: 0, changed: 1 });
        expect(played.hosts.get("head")).toMatchObject({ unreachable: 0, failed: 0, changed: 0 });
        await eventually(
          async () => (await control.workers()).join() === "one",
          () => "the scheduler gives work to the worker that is there alone",
        );
        await two!.plug();
      },
    );

    inTurn("stop.yml stops all, and purge.yml leaves nothing but the user", async () => {
      await control.playWell("stop");
      for (const host of lab.hosts) expect(await leftOn(host), host.name).not.toMatch(/dist\/(scheduler|worker)/);
      await control.playWell("purge", "-e", "pe_cluster_purge=yes");
      for (const host of lab.hosts) {
        expect((await leftOn(host)).split("\n")[0], host.name).toMatch(/^pe-cluster:x:/);
      }
    });
  },
);
