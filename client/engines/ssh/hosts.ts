/** Hosts as people name them to ssh, and which worker is where. */
import { PeError } from "../../../common/errors.ts";

/** Plain data: it is kept in the record of a cluster. */
export interface SshHost {
  /** What ssh takes: `user@host`, or a name of its own configuration. */
  readonly target: string;
  readonly port?: number;
  /** What people and workers call it: without the user, with the port that was given. */
  readonly label: string;
}

/** A process of the cluster at its host. */
export interface Placed {
  readonly host: SshHost;
  readonly program: "scheduler" | "worker";
  /** Of a worker: unique in the cluster. */
  readonly name: string;
}

const HOSTS_MAX = 1024;
/** Nothing that ssh could take for an option. */
const HOST = /^(?:([\w.+][\w.+-]*)@)?(?:([A-Za-z0-9_][\w.-]*)|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/;
const PORT_MAX = 65_535;

/**
 * @param texts `[user@]host[:port]` each; an address with colons stands in brackets when a port follows.
 * @throws {PeError} `PE_PARAMETER`
 */
export function parseHosts(texts: readonly string[]): SshHost[] {
  if (texts.length === 0)
    throw new PeError("PE_PARAMETER", "Cannot start a cluster on no hosts: name them, or give a --hosts-file");
  if (texts.length > HOSTS_MAX)
    throw new PeError("PE_PARAMETER", `Cannot start a cluster on ${texts.length} hosts: at most ${HOSTS_MAX}`);
  return texts.map(parseHost);
}

/** @throws {PeError} `PE_PARAMETER` */
export function parseHost(text: string): SshHost {
  const [whole, user, name, address, digits] = HOST.exec(text) ?? [];
  const host = name ?? address;
  const port = digits === undefined ? undefined : Number(digits);
  if (whole === undefined || host === undefined || port === 0 || (port ?? 0) > PORT_MAX)
    throw new PeError("PE_PARAMETER", `Cannot use the host "${text}": expected [user@]host[:port], such as me@lab7:22`);
  const shown = address === undefined ? host : `[${host}]`;
  return {
    target: user === undefined ? host : `${user}@${host}`,
    ...(port !== undefined && { port }),
    label: port === undefined ? host : `${shown}:${port}`,
  };
}

/** Hosts of a file: one or more a line, `#` begins a comment. */
export function hostsIn(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").split(/\s+/))
    .filter((word) => word !== "");
}

/**
 * The first `count` workers of a cluster: one a host in the order of the list, then a second one on each, and so on; a host
 * that is in the list twice has two turns. The same worker is at the same place however many there are.
 */
export function placeWorkers(hosts: readonly SshHost[], count: number): Placed[] {
  const turns = new Map<string, number>();
  return Array.from({ length: count }, (_, index) => {
    const host = hosts[index % hosts.length]!;
    const turn = (turns.get(host.label) ?? 0) + 1;
    turns.set(host.label, turn);
    return { host, program: "worker", name: turn === 1 ? host.label : `${host.label}-${turn}` };
  });
}

/** Each host once, with what is there. */
export function byHost(placed: readonly Placed[]): { readonly host: SshHost; readonly here: readonly Placed[] }[] {
  const groups = new Map<string, { readonly host: SshHost; readonly here: Placed[] }>();
  for (const one of placed) {
    const key = `${one.host.target}:${one.host.port ?? ""}`;
    const group = groups.get(key) ?? { host: one.host, here: [] };
    group.here.push(one);
    groups.set(key, group);
  }
  return [...groups.values()];
}
