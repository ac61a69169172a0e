/**
 * Machines of Azure and back to nothing, by the plays as they are. The account is of the test, on the names by which Azure is
 * asked; its machines are hosts of a lab. What a machine then does is told for EC2. A test goes on where the one before it ended.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { azureEnvironment, azureListener, AZURE_NAMES } from "../support/clouds/azure.ts";
import { AzureAccount, type Resource } from "../support/clouds/azure-account.ts";
import { cloudInLab, type CloudInLab } from "../support/clouds/in-lab.ts";
import { CloudControl, noCloud } from "../support/clouds/plays.ts";
import { Lab } from "../support/hosts/lab.ts";

const HOOK_MS = 120_000;
const SOURCE = "203.0.113.7";
const GROUP = "pe-cluster-lab";
const [SCHEDULER, WORKER] = [`${GROUP}-scheduler`, `${GROUP}-worker`];

const reason = noCloud(
  ["azure.mgmt.compute", "azure.mgmt.network", "azure.cli.core", "ansible_collections.azure.azcollection"],
  "python3-azure and python3-azure-cli-core, or what the collection azure.azcollection requires",
);
if (reason !== undefined) console.warn(`test/system/clouds-azure.test.ts is skipped: ${reason}`);

describe.skipIf(reason !== undefined)("in an account on Azure, ansible-playbook", () => {
  let lab: Lab;
  let cloud: CloudInLab;
  let account: AzureAccount;
  let others: readonly Resource[];
  let control: CloudControl;

  beforeAll(async () => {
    lab = await Lab.start("plain", 3);
    const addresses = lab.hosts.map(({ address }) => address);
    account = new AzureAccount("00000000-0000-0000-0000-000000000001", addresses);
    cloud = await cloudInLab(lab, AZURE_NAMES, azureListener(account));
    control = controlOf("lab");
  }, HOOK_MS);

  afterAll(async () => {
    await lab?.stop();
    await cloud?.stop();
  }, HOOK_MS);

  const controlOf = (name: string): CloudControl => {
    const all = { pe_cloud_workers: 1, pe_cloud_spot: true, pe_cloud_source: SOURCE, pe_azure_user: "deploy" };
    return new CloudControl(lab, cloud, name, all, azureEnvironment(account));
  };
  const ours = (type?: string): Resource[] => account.all(account.group(GROUP), type);
  const one = (kind: string, name: string): Resource =>
    account.get(`${account.group(GROUP)}/providers/Microsoft.${kind}/${name}`);
  // They are made side by side.
  const machines = (): string[] =>
    ours("Microsoft.Compute/virtualMachines")
      .map(({ name }) => name)
      .toSorted();

  test("provision-azure.yml --check tells what it would make where there is nothing, and makes nothing", async () => {
    const { changed, stdout } = await control.playWell("provision-azure", {}, "--check");
    expect(changed).toBeGreaterThanOrEqual(2);
    expect(stdout).toContain(`${SCHEDULER}, ${WORKER}-1`);
    expect(account.changes).toBe(0);
    expect(existsSync(control.folder)).toBe(false);
  });

  test("provision-azure.yml makes machines, and changes nothing when it is run again", async () => {
    const location = "westeurope";
    account.put(account.group("pe-cluster-theirs"), { location, tags: { "pe-cluster": "theirs" } });
    account.put(account.group("pe-cluster-taken"), { location, tags: { owner: "somebody" } });
    account.put(`${account.group("pe-cluster-taken")}/providers/Microsoft.Network/networkSecurityGroups/machines`, {});
    others = account.all();
    expect((await control.playWell("provision-azure")).changed).toBeGreaterThan(0);
    expect(machines()).toEqual([SCHEDULER, `${WORKER}-1`]);
    const [before, made] = [account.changes, account.all()];
    expect((await control.playWell("provision-azure")).changed).toBe(0);
    expect(account.changes).toBe(before);
    expect(account.all()).toEqual(made);
  });

  test("provision-azure.yml lets in nothing but ssh from one address, and what the machines say to each other", () => {
    const group = one("Network/networkSecurityGroups", "machines");
    const rules = group.properties["securityRules"] as { properties: Readonly<Record<string, unknown>> }[];
    expect(
      rules.map(({ properties: { access, destinationPortRange, sourceAddressPrefix } }) =>
        [access, destinationPortRange, sourceAddressPrefix].join(" "),
      ),
    ).toEqual([`Allow 22 ${SOURCE}/32`, "Allow 8786 10.86.0.0/16", "Allow 8787 10.86.0.0/16", "Deny * *"]);
    for (const plug of ours("Microsoft.Network/networkInterfaces"))
      expect(plug.properties["networkSecurityGroup"], plug.name).toMatchObject({ id: group.id });
    expect(one("Compute/virtualMachines", SCHEDULER).properties["priority"]).toBeUndefined();
    const { properties } = one("Compute/virtualMachines", `${WORKER}-1`);
    expect(properties).toMatchObject({ priority: "Spot", evictionPolicy: "Delete" });
    const keyData = readFileSync(join(control.folder, "id.pub"), "utf8").trim();
    const linuxConfiguration = { disablePasswordAuthentication: true, ssh: { publicKeys: [{ keyData }] } };
    expect(properties["osProfile"]).toMatchObject({ adminUsername: "deploy", linuxConfiguration });
    // What belongs to another thing ends with it, and bears none.
    const tagged = ours().filter(({ type }) => !/\/(subnets|disks)$/.test(type));
    for (const { id, tags } of tagged) expect(tags, id).toMatchObject({ "pe-cluster": "lab" });
    expect(account.find(account.group(GROUP))!.tags).toEqual({ "pe-cluster": "lab" });
  });

  test("provision-azure.yml replaces a machine that was taken away, and grows", async () => {
    account.evict(one("Compute/virtualMachines", `${WORKER}-1`));
    expect(machines()).toEqual([SCHEDULER]);
    await control.playWell("provision-azure", { pe_cloud_workers: 2 });
    expect(machines()).toEqual([SCHEDULER, `${WORKER}-1`, `${WORKER}-2`]);
  });

  test("provision-azure.yml leaves an inventory of the machines, where they answer", async () => {
    const listed = await control.run("ansible-inventory", "-i", control.inventory, "--list");
    type Listed = Readonly<Record<string, { hosts: string[]; hostvars: Record<string, Record<string, unknown>> }>>;
    const groups = JSON.parse(listed.stdout) as Listed;
    expect(groups["scheduler"]!.hosts).toEqual([SCHEDULER]);
    expect(groups["workers"]!.hosts.toSorted()).toEqual([`${WORKER}-1`, `${WORKER}-2`]);
    for (const [name, settings] of Object.entries(groups["_meta"]!.hostvars))
      expect(settings, name).toMatchObject({
        ansible_host: one("Network/publicIPAddresses", name).properties["ipAddress"],
        ansible_user: "deploy",
        ansible_ssh_private_key_file: join(control.folder, "id"),
        pe_cluster_spot_notice: name === SCHEDULER ? "" : "azure",
      });
    // The hosts of a lab let in a key of their own.
    const key = `ansible_ssh_private_key_file=${lab.key}`;
    const pinged = await control.run("ansible", "-i", control.inventory, "all", "-m", "ping", "-e", key);
    expect(pinged.status, pinged.stdout).toBe(0);
  });

  test("provision-azure.yml shrinks, and leaves nothing of a machine", async () => {
    await control.playWell("provision-azure", { pe_cloud_workers: 1 });
    expect(machines()).toEqual([SCHEDULER, `${WORKER}-1`]);
    expect(ours().filter(({ name }) => name.startsWith(`${WORKER}-2`))).toEqual([]);
  });

  test.each(["provision-azure", "teardown-azure"])("%s.yml refuses a resource group without the tag", async (play) => {
    const before = account.changes;
    const refused = await controlOf("taken").play(play, { confirm: "yes" });
    expect(refused.status).not.toBe(0);
    expect(refused.stdout).toContain("Cannot use the resource group pe-cluster-taken");
    expect(account.changes).toBe(before);
  });

  test("teardown-azure.yml shows what it would remove, and removes nothing unless that is meant", async () => {
    const before = account.changes;
    const refused = await control.play("teardown-azure");
    expect(refused.status).not.toBe(0);
    const shown = ours().filter(({ type }) => !type.endsWith("/subnets"));
    for (const { id } of shown) expect(refused.stdout).toContain(id);
    for (const { id } of others) expect(refused.stdout).not.toContain(id);
    expect(refused.stdout).toContain("Nothing is removed");
    expect(account.changes).toBe(before);
  });

  test("teardown-azure.yml leaves nothing of the cluster and all that is others', as often as it is run", async () => {
    await control.playWell("teardown-azure", { confirm: "yes" });
    expect(account.all()).toEqual(others);
    expect(existsSync(control.folder)).toBe(false);
    expect((await control.playWell("teardown-azure", { confirm: "yes" })).changed).toBe(0);
  });
});
