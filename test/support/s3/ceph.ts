/** Ceph's object gateway with one monitor and one store in memory, up in about two seconds. */
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts, hasProgram, openSite, type Site, type WatchedServer } from "./server.ts";

/** Why it cannot be started here; undefined when it can. */
export function reasonAgainstCeph(): string | undefined {
  const missing = ["ceph-mon", "ceph-osd", "radosgw"].filter((name) => !hasProgram(name));
  return missing.length === 0
    ? undefined
    : `${missing.join(", ")} not installed here: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw`;
}

/** @param users Further users, by access key and secret key. */
export async function startCeph(users: readonly (readonly [string, string])[] = []): Promise<WatchedServer> {
  const site = await openSite();
  try {
    const [port, monitorPort] = (await freePorts(2)) as [number, number];
    const configuration = join(site.folder, "ceph.conf");
    await makeFiles(site, configuration, port, monitorPort);
    await startStore(site, configuration);
    site.start("radosgw", "-c", configuration, "-n", "client.admin", "-f");
    await site.listening(port);
    const [accessKey, secretKey] = ["TESTKEY", "testsecret"];
    for (const [key, secret] of [[accessKey, secretKey] as const, ...users])
      await site.run(
        ...(["radosgw-admin", "-c", configuration, "user", "create"] as const),
        `--uid=${key.toLowerCase()}`,
        `--display-name=${key}`,
        `--access-key=${key}`,
        `--secret-key=${secret}`,
      );
    const { pids, stop } = site;
    const requestLog = join(site.folder, "log", "client.admin.log");
    return { endpointUrl: `http://127.0.0.1:${port}`, port, accessKey, secretKey, pids, requestLog, stop };
  } catch (error) {
    await site.stop();
    throw error;
  }
}

async function makeFiles(site: Site, configuration: string, port: number, monitorPort: number): Promise<void> {
  const { folder } = site;
  for (const name of ["monitor", "store", "gateway", "run", "log"]) await mkdir(join(folder, name));
  const cluster = randomUUID();
  const address = `v2:127.0.0.1:${monitorPort}`;
  const settings: Record<string, string> = {
    fsid: cluster,
    "mon initial members": "a",
    "mon host": address,
    "public network": "127.0.0.0/8",
    "ms bind msgr1": "false",
    "osd pool default size": "1",
    "osd pool default min size": "1",
    "osd pool default pg num": "1",
    "osd pool default pgp num": "1",
    "osd pool default pg autoscale mode": "off",
    "mon allow pool size one": "true",
    "osd crush chooseleaf type": "0",
    "osd objectstore": "memstore",
    "memstore device bytes": String(2 ** 32),
    "run dir": join(folder, "run"),
    "admin socket": join(folder, "run", "$name.asok"),
    "log file": join(folder, "log", "$name.log"),
    "pid file": join(folder, "run", "$name.pid"),
    "mon cluster log file": join(folder, "log", "cluster.log"),
    keyring: join(folder, "keyring"),
    "mon data": join(folder, "monitor"),
    "mon data avail warn": "1",
    "osd data": join(folder, "store"),
    "rgw data": join(folder, "gateway"),
    // What a cluster waits for others before it decides.
    "paxos propose interval": "0.05",
    "paxos min wait": "0.01",
    "osd op num shards": "2",
    // Without it every answer waits 40 ms for the acknowledgement of its head.
    "rgw frontends": `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    "rgw relaxed region enforcement": "true",
    "rgw enable usage log": "false",
    "rgw enable lc threads": "false",
    "rgw enable gc threads": "false",
    "rgw gc max objs": "1",
    "rgw lc max objs": "1",
    "rgw override bucket index max shards": "1",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(configuration, `[global]\n${lines.join("")}`);
  const keyring = join(folder, "keyring");
  await site.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
  const all = ["mon", "osd", "mgr"].flatMap((service) => ["--cap", service, "allow *"]);
  await site.run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", ...all);
  const map = join(folder, "monmap");
  await site.run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", `[${address}]`, map);
  await site.run("ceph-mon", "-c", configuration, "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring);
}

async function startStore(site: Site, configuration: string): Promise<void> {
  site.start("ceph-mon", "-c", configuration, "-i", "a", "-f");
  const id = randomUUID();
  const ask = ["-c", configuration, "--connect-timeout", "15"];
  await site.run("ceph", ...ask, "osd", "new", id);
  const key = await site.run(
    "ceph",
    ...ask,
    "auth",
    "get-or-create",
    "osd.0",
    "mon",
    "allow profile osd",
    "osd",
    "allow *",
  );
  await appendFile(join(site.folder, "keyring"), key);
  await site.run("ceph-osd", "-c", configuration, "-i", "0", "--mkfs", "--osd-uuid", id);
  site.start("ceph-osd", "-c", configuration, "-i", "0", "-f");
}
