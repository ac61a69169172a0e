/**
 * From an account to a cluster and back to nothing, by the plays for EC2 as they are. The accounts are of the test, on the names
 * by which Amazon is asked; their machines are hosts of a lab. Two accounts are used side by side; in each, a test goes on where
 * the one before it ended.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../support/client.ts";
import { ec2Listener, EC2_NAMES, REGION, SOURCE } from "../support/clouds/ec2.ts";
import { Ec2Account, type Kind, type Thing } from "../support/clouds/ec2-account.ts";
import { cloudInLab, type CloudInLab } from "../support/clouds/in-lab.ts";
import { CloudControl, noCloud } from "../support/clouds/plays.ts";
import { startSpotMetadata, type SpotMetadata } from "../support/clouds/spot-metadata.ts";
import { eventually } from "../support/cluster-programs.ts";
import { fileFolder } from "../support/folders.ts";
import { Lab } from "../support/hosts/lab.ts";
import { makeBundle } from "../support/hosts/plays.ts";

const HOOK_MS = 120_000;
const KINDS: readonly Kind[] = ["machine", "disk", "group", "key", "template"];
const inTurn = test.sequential;
const AT_ONCE = { concurrent: true };

const reason = noCloud(["boto3"], "python3-boto3");
if (reason !== undefined) console.warn(`test/system/clouds.test.ts is skipped: ${reason}`);

let lab: Lab;
let cloud: CloudInLab;
let accounts: { readonly whole: Ec2Account; readonly empty: Ec2Account };
let bundle: string;

beforeAll(async () => {
  if (reason !== undefined) return;
  lab = await Lab.start("systemd", 2);
  const [first, second] = lab.hosts.map(({ address }) => address) as [string, string];
  accounts = { whole: new Ec2Account([first, second]), empty: new Ec2Account([first, second, first, second]) };
  cloud = await cloudInLab(
    lab,
    EC2_NAMES,
    ec2Listener(
      new Map([
        ["WHOLE", accounts.whole],
        ["EMPTY", accounts.empty],
      ]),
    ),
  );
  bundle = await makeBundle(await fileFolder());
}, HOOK_MS);

afterAll(async () => {
  await lab?.stop();
  await cloud?.stop();
}, HOOK_MS);

function controlOf(name: string, key: string, settings: Readonly<Record<string, unknown>>): CloudControl {
  const all = { pe_cloud_workers: 1, pe_ec2_user: "deploy", pe_cluster_bundle: bundle, ...settings };
  return new CloudControl(lab, cloud, name, all, {
    AWS_ACCESS_KEY_ID: key,
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_REGION: REGION,
  });
}

/** Everything that the plays asked for is in the policy that the documents give. */
function expectAllowed({ asked }: Ec2Account): void {
  const policy = JSON.parse(readFileSync(join(ROOT, "ansible/ec2-policy.json"), "utf8")) as {
    Statement: { Action: string[] }[];
  };
  const allowed = new Set(policy.Statement.flatMap(({ Action }) => Action.map((name) => name.split(":")[1]!)));
  // Everybody may ask who they are.
  allowed.add("GetCallerIdentity");
  expect([...asked].filter((name) => !allowed.has(name))).toEqual([]);
}

describe.skipIf(reason !== undefined)("on spot machines of EC2, ansible-playbook", AT_ONCE, () => {
  let account: Ec2Account;
  let metadata: SpotMetadata;
  let control: CloudControl;

  beforeAll(async () => {
    account = accounts.whole;
    metadata = await startSpotMetadata(lab);
    control = controlOf("pe-cluster", "WHOLE", {
      pe_cloud_spot: true,
      pe_cloud_key_file: lab.key,
      pe_ec2_instance_profile: "lab-reads-s3",
      pe_cloud_settings: { pe_cluster_spot_notice_url: metadata.url, pe_cluster_worker_threads: 1 },
    });
  }, HOOK_MS);

  afterAll(async () => await metadata?.stop());

  const workers = async (): Promise<string[]> => {
    const main = join(ROOT, "dist/client/cli/main.js");
    const access = join(control.folder, "access/access.json");
    const ran = await control.run(process.execPath, main, "workers", "--json", "--access-file", access);
    expect(ran.status, ran.stderr).toBe(0);
    return (JSON.parse(ran.stdout) as { name: string }[]).map(({ name }) => name);
  };

  inTurn("site.yml makes machines, sets them up and starts them", async () => {
    await control.playWell("site", { cloud: "ec2" });
    const [scheduler, worker] = account.all("machine");
    expect(await workers()).toEqual([worker!.id]);
    expect(scheduler!.tags["pe-role"]).toBe("scheduler");
    expect(scheduler!.says["instanceLifecycle"]).toBeUndefined();
    expect(worker!.says["instanceLifecycle"]).toBe("spot");
    expect(worker!.says["iamInstanceProfile"]).toEqual({ arn: expect.stringMatching(/lab-reads-s3$/) as string });
    for (const kind of KINDS) {
      expect(account.all(kind), kind).not.toEqual([]);
      for (const { id, tags } of account.all(kind)) expect(tags, id).toMatchObject({ "pe-cluster": "pe-cluster" });
    }
    expectAllowed(account);
  });

  inTurn("site.yml lets in nothing but ssh from one address, and what the machines say to each other", () => {
    const [group] = account.all("group");
    expect(group!.rules.map(({ ports, from }) => `${ports} ${from}`).toSorted()).toEqual([
      `22-22 ${SOURCE}/32`,
      `8786-8786 ${group!.id}`,
      `8787-8787 ${group!.id}`,
    ]);
    for (const { id, says, uses } of account.all("machine")) {
      expect(uses).toEqual([group!.id]);
      expect(says["metadataOptions"]).toEqual({ httpTokens: "required" });
      // Known by its name, in a file of the cluster's own.
      expect(spawnSync("ssh-keygen", ["-F", id, "-f", join(control.folder, "known_hosts")]).status, id).toBe(0);
    }
    for (const name of ["", "inventory", "access", "access/access.json"])
      expect(statSync(join(control.folder, name)).mode & 0o077, name).toBe(0);
  });

  inTurn("site.yml has a spot machine's worker leave when the cloud takes it away, and not come back", async () => {
    const host = lab.hosts[1]!;
    await eventually(
      () => metadata.asked > 0,
      () => "the machine asks for notices",
    );
    metadata.notice = '{"action": "terminate", "time": "2026-01-01T00:02:00Z"}';
    await eventually(
      async () => (await host.run("systemctl show pe-spot-notice -p ActiveState --value")).stdout === "inactive\n",
      () => "the notice is taken",
    );
    // The unit of the notice ends after the worker's.
    const shown = await host.run("systemctl show pe-worker -p ActiveState -p Result -p NRestarts");
    const ended = ["ActiveState=inactive", "NRestarts=0", "Result=success"];
    expect(shown.stdout.trim().split("\n").toSorted()).toEqual(ended);
    expect(await workers()).toEqual([]);
  });

  inTurn("site.yml refuses to go on with the machines of another inventory", async () => {
    const refused = await control.play("site", { cloud: "ec2", pe_cloud_folder: join(lab.folder, "clouds/another") });
    expect(refused.status).not.toBe(0);
    expect(refused.stdout).toContain("Cannot start a cluster on ec2 with the inventory");
  });
});

describe.skipIf(reason !== undefined)("in an account on EC2, ansible-playbook", AT_ONCE, () => {
  let account: Ec2Account;
  let others: ReadonlySet<Thing>;
  let control: CloudControl;

  beforeAll(() => {
    account = accounts.empty;
    control = controlOf("lab", "EMPTY", {});
  });

  const ours = (kind: Kind): Thing[] => account.all(kind).filter((thing) => !others.has(thing));

  inTurn("provision-ec2.yml --check tells what it would make where there is nothing, and makes nothing", async () => {
    const { changed } = await control.playWell("provision-ec2", {}, "--check");
    expect(changed).toBeGreaterThanOrEqual(4);
    expect(account.changes).toBe(0);
    expect(existsSync(control.folder)).toBe(false);
  });

  inTurn("provision-ec2.yml makes machines, and changes nothing when it is run again", async () => {
    const theirs = { tags: { "pe-cluster": "theirs", "pe-role": "worker" } };
    others = new Set([
      account.make("group", { name: "default" }),
      account.make("group", { name: "pe-cluster-theirs", ...theirs }),
      account.make("machine", { ...theirs, says: { ipAddress: "10.77.0.99", instanceType: "c6i.large" } }),
      account.make("key", { name: "pe-cluster-theirs", ...theirs }),
      account.make("template", { name: "somebody's" }),
    ]);
    expect((await control.playWell("provision-ec2")).changed).toBeGreaterThan(0);
    expect(ours("machine")).toHaveLength(2);
    const before = account.changes;
    expect((await control.playWell("provision-ec2")).changed).toBe(0);
    expect(account.changes).toBe(before);
  });

  inTurn("provision-ec2.yml replaces a machine that was taken away, and grows", async () => {
    account.end(ours("machine")[1]!);
    await control.playWell("provision-ec2", { pe_cloud_workers: 2 });
    const [scheduler, ...workers] = ours("machine").map(({ id }) => id);
    expect(workers).toHaveLength(2);
    const listed = await control.run("ansible-inventory", "-i", control.inventory, "--list");
    const groups = JSON.parse(listed.stdout) as Record<string, { hosts: string[] }>;
    expect(groups["scheduler"]!.hosts).toEqual([scheduler]);
    expect(groups["workers"]!.hosts).toEqual(workers);
  });

  inTurn("provision-ec2.yml shrinks", async () => {
    const [scheduler] = ours("machine");
    await control.playWell("provision-ec2", { pe_cloud_workers: 1 });
    expect(ours("machine")).toHaveLength(2);
    expect(ours("machine")[0]).toBe(scheduler);
  });

  inTurn("teardown-ec2.yml shows what it would remove, and removes nothing unless that is meant", async () => {
    const before = account.changes;
    const refused = await control.play("teardown-ec2");
    expect(refused.status).not.toBe(0);
    for (const { id } of KINDS.flatMap(ours)) expect(refused.stdout).toContain(id);
    for (const { id } of others) expect(refused.stdout).not.toContain(id);
    expect(refused.stdout).toContain("Nothing is removed");
    expect(account.changes).toBe(before);
  });

  inTurn("teardown-ec2.yml leaves nothing of the cluster and all that is others', as often as it is run", async () => {
    await control.playWell("teardown-ec2", { confirm: "yes" });
    expect(new Set(KINDS.flatMap((kind) => account.all(kind)))).toEqual(others);
    expect(existsSync(control.folder)).toBe(false);
    expect((await control.playWell("teardown-ec2", { confirm: "yes" })).changed).toBe(0);
    expectAllowed(account);
  });
});
