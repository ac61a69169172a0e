/** What a cluster on hosts is started with. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ArgumentSpec, Given, OptionSpec } from "../../../common/command-line/command.ts";
import { asPeError } from "../../../common/errors.ts";
import type { Asked } from "../engine.ts";
import { hostsIn, parseHost, parseHosts, type SshHost } from "./hosts.ts";

/** Plain data: it is kept in the record of the cluster. */
export interface SshClusterOptions {
  readonly hosts: readonly SshHost[];
  /** Undefined: this machine. */
  readonly scheduler?: SshHost;
  /** Under which workers and clients reach the scheduler. */
  readonly address?: string;
  readonly identity?: string;
  readonly sshOptions: readonly string[];
  /** Node on the hosts. */
  readonly node: string;
  /** Tarball. */
  readonly package?: string;
  /** On the hosts. */
  readonly folder: string;
}

const HERE = "here";

export const HOST_ARGUMENT: ArgumentSpec = {
  name: "HOST",
  about: "[user@]host[:port], or a name of ~/.ssh/config; one that is named twice has two workers",
  optional: true,
  several: true,
};

export const SSH_OPTIONS: readonly OptionSpec[] = [
  { flags: "--hosts-file FILE", about: "more hosts, one a line, # begins a comment" },
  { flags: "--scheduler-host HOST", about: "where the scheduler runs: here, or a host (default: the first host)" },
  { flags: "--address HOST", about: "of the scheduler, for workers and clients (default: as ssh reached it)" },
  { flags: "--identity FILE", about: "private key (default: as ssh has it)" },
  { flags: "--ssh-option OPTION", about: "for ssh -o, such as ProxyJump=gate; may be given again", repeatable: true },
  { flags: "--node PATH", about: "Node 20.19 or newer on the hosts", default: "node" },
  {
    flags: "--package FILE",
    about: "tarball of npm run pack:cluster for the hosts (default: made of this installation)",
  },
  {
    flags: "--folder DIR",
    about: "on the hosts, for the package, pid files and logs; in the home of the user unless it begins with /",
    default: ".local/state/pe-cluster/hosts",
  },
];

/** @throws {PeError} `PE_PARAMETER` */
export async function readOptions(given: Given): Promise<Asked<SshClusterOptions>> {
  const hosts = parseHosts([...given.texts("HOST"), ...(await fileHosts(given.text("hosts-file")))]);
  const [address, identity, tarball] = ["address", "identity", "package"].map((name) => given.text(name));
  const where = given.text("scheduler-host");
  const scheduler = where === undefined ? hosts[0]! : where === HERE ? undefined : parseHost(where);
  return {
    options: {
      hosts,
      ...(scheduler !== undefined && { scheduler }),
      ...(address !== undefined && { address }),
      ...(identity !== undefined && { identity: resolve(identity) }),
      sshOptions: given.texts("ssh-option"),
      node: given.needed("node"),
      ...(tarball !== undefined && { package: resolve(tarball) }),
      folder: given.needed("folder"),
    },
    workers: hosts.length,
  };
}

async function fileHosts(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [];
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw asPeError(error, "PE_PARAMETER", "Cannot read --hosts-file");
  });
  return hostsIn(text);
}
