/** A cloud for the control machine of a lab: its names lead to a server of the test, over TLS, as they do on the internet. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import type { Lab } from "../hosts/lab.ts";
import { relay } from "../hosts/relay.ts";

export interface CloudInLab {
  /** What a command has to be put behind to reach the cloud. */
  readonly within: readonly string[];
  /** Where the certificates that it has to trust are. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** @param names What leads to the cloud, such as `ec2.eu-central-1.amazonaws.com`. */
export async function cloudInLab(lab: Lab, names: readonly string[], answer: RequestListener): Promise<CloudInLab> {
  const [key, cert, socket] = ["cloud-key.pem", "cloud.pem", "cloud"].map((name) => join(lab.folder, name)) as [
    string,
    string,
    string,
  ];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const about = ["-subj", "/CN=cloud", "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`];
  execFileSync("openssl", ["req", "-x509", ...curve, ...about, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const hosts = join(lab.folder, "cloud-hosts");
  writeFileSync(hosts, `127.0.0.1 localhost ${names.join(" ")}\n`);
  // The lab has a network of its own; a socket of the file system goes through to it.
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer);
  server.listen(socket);
  await once(server, "listening");
  await relay(lab, socket, "127.0.0.1", 443);
  return {
    within: ["unshare", "--mount", "sh", "-c", `mount --bind ${hosts} /etc/hosts && exec "$@"`, "cloud"],
    env: { AWS_CA_BUNDLE: cert, SSL_CERT_FILE: cert, REQUESTS_CA_BUNDLE: cert },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
