/** OpenStack Swift with its S3 interface: a real server that cannot write under a condition. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { userInfo } from "node:os";
import { freePorts, hasProgram, openSite, type S3Server, type Site } from "./server.ts";

/** Debian's own, which has its packages; another may come first on the path. */
const PYTHON = "/usr/bin/python3";
const SERVERS = ["account", "container", "object"] as const;

/** Which device has which object: one device has all. One program makes the three tables; each start of Python takes a second. */
const MAKE_RINGS = `
import sys
from swift.common.ring import RingBuilder
folder = sys.argv[1]
for name, port in zip(("account", "container", "object"), sys.argv[2:]):
    builder = RingBuilder(4, 1, 1)
    device = dict(region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1)
    builder.add_dev(dict(device, replication_ip="127.0.0.1", replication_port=int(port), meta=""))
    builder.rebalance()
    builder.get_ring().save("%s/%s.ring.gz" % (folder, name))
`;

/** Why it cannot be started here; undefined when it can. */
export function reasonAgainstSwift(): string | undefined {
  const programs = [PYTHON, "swift-proxy-server", ...SERVERS.map((name) => `swift-${name}-server`)];
  const missing = programs.filter((name) => !hasProgram(name));
  return missing.length === 0
    ? undefined
    : `${missing.join(", ")} not installed here: apt-get install --no-install-recommends swift-proxy swift-account swift-container swift-object`;
}

export async function startSwift(): Promise<S3Server> {
  const site = await openSite();
  try {
    const ports = (await freePorts(4)) as [number, number, number, number];
    const port = ports[3];
    const folder = join(site.folder, "etc");
    await mkdir(folder);
    await mkdir(join(site.folder, "srv", "d1"), { recursive: true });
    const policy = "[storage-policy:0]\nname = one\ndefault = yes\n";
    await writeFile(join(folder, "swift.conf"), `[swift-hash]\nswift_hash_path_suffix = test\n${policy}`);
    await site.run(PYTHON, "-c", MAKE_RINGS, folder, ...ports.slice(0, 3).map(String));
    for (const [index, name] of SERVERS.entries()) await startServer(site, folder, name, ports[index]!);
    const [accessKey, secretKey] = ["tests:tester", "testing"];
    await writeFile(join(folder, "proxy.conf"), proxyConfiguration(folder, port, secretKey));
    site.start("swift-proxy-server", join(folder, "proxy.conf"));
    for (const each of ports) await site.listening(each);
    return { endpointUrl: `http://127.0.0.1:${port}`, port, accessKey, secretKey, stop: site.stop };
  } catch (error) {
    await site.stop();
    throw error;
  }
}

async function startServer(site: Site, folder: string, name: string, port: number): Promise<void> {
  const configuration = join(folder, `${name}.conf`);
  await writeFile(
    configuration,
    [
      "[DEFAULT]",
      "bind_ip = 127.0.0.1",
      `bind_port = ${port}`,
      "workers = 0",
      `user = ${userInfo().username}`,
      `swift_dir = ${folder}`,
      `devices = ${join(site.folder, "srv")}`,
      "mount_check = false",
      "disable_fallocate = true",
      "log_level = WARNING",
      "[pipeline:main]",
      `pipeline = ${name}-server`,
      `[app:${name}-server]`,
      `use = egg:swift#${name}`,
      `[${name}-replicator]`,
      `[${name}-updater]`,
      "",
    ].join("\n"),
  );
  site.start(`swift-${name}-server`, configuration);
}

function proxyConfiguration(folder: string, port: number, secret: string): string {
  const filters = ["catch_errors", "gatekeeper", "cache", "listing_formats", "s3api", "tempauth", "slo", "dlo"];
  const programs: Record<string, string> = { cache: "memcache" };
  const more: Record<string, string> = {
    cache: "memcache_servers = 127.0.0.1:1\n",
    s3api: "location = us-east-1\ns3_acl = false\n",
    tempauth: `user_tests_tester = ${secret} .admin\n`,
  };
  return [
    "[DEFAULT]",
    "bind_ip = 127.0.0.1",
    `bind_port = ${port}`,
    "workers = 0",
    `user = ${userInfo().username}`,
    `swift_dir = ${folder}`,
    "log_level = WARNING",
    "[pipeline:main]",
    `pipeline = ${filters.join(" ")} proxy-server`,
    "[app:proxy-server]",
    "use = egg:swift#proxy",
    "account_autocreate = true",
    "allow_account_management = true",
    ...filters.flatMap((name) => [`[filter:${name}]`, `use = egg:swift#${programs[name] ?? name}`, more[name] ?? ""]),
    "",
  ].join("\n");
}
