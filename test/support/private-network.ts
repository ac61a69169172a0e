/**
 * Machines of a test's own: network namespaces with addresses of their own, joined by a bridge that is in one of them. What is
 * cut here is cut nowhere else. Takes root on Linux, and the programs ip, nft and nsenter.
 */
import { spawnSync } from "node:child_process";

/** Where others are reached from all machines, as the scheduler is. */
export const HUB = "hub";

const [PREFIX, HUB_PLACE, FIRST_PLACE] = ["10.213.7.", 1, 11];

/** `silent`: nothing comes through, and nobody says so. `refused`: who tries is told at once. */
export type CutKind = "silent" | "refused";

interface Cut {
  readonly one: string;
  readonly other: string;
  readonly kind: CutKind;
}

let networks = 0;

export class PrivateNetwork {
  readonly #name: string;
  readonly #hosts: readonly string[];
  #cuts: readonly Cut[] = [];

  private constructor(hosts: readonly string[]) {
    this.#name = `pe-${process.pid}-${++networks}`;
    this.#hosts = hosts;
  }

  /** @param hosts Names of machines beside the hub. @returns Undefined where it takes rights or programs that are not there. */
  static open(hosts: readonly string[]): PrivateNetwork | undefined {
    const network = new PrivateNetwork(hosts);
    if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
    try {
      network.#open();
      return network;
    } catch {
      network.close();
      return undefined;
    }
  }

  address(host: string): string {
    return PREFIX + String(host === HUB ? HUB_PLACE : FIRST_PLACE + this.#hosts.indexOf(host));
  }

  /** What a command is put behind, to run on a machine. It becomes that command: its number is the number of the process. */
  within(host: string): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.#space(host)}`, "--"];
  }

  /** Cuts two machines off from each other. @returns Heals it. */
  cut(one: string, other: string, kind: CutKind): () => void {
    const cut: Cut = { one, other, kind };
    this.#cuts = [...this.#cuts, cut];
    this.#obey(one);
    return () => {
      this.#cuts = this.#cuts.filter((each) => each !== cut);
      this.#obey(one);
    };
  }

  close(): void {
    for (const host of [...this.#hosts, HUB]) command("ip", ["netns", "del", this.#space(host)]);
  }

  #space(host: string): string {
    return `${this.#name}-${host}`;
  }

  #open(): void {
    const hub = this.#space(HUB);
    for (const host of [HUB, ...this.#hosts]) {
      need("ip", ["netns", "add", this.#space(host)]);
      need("ip", ["-n", this.#space(host), "link", "set", "lo", "up"]);
    }
    need("ip", ["-n", hub, "link", "add", "bridge", "type", "bridge"]);
    need("ip", ["-n", hub, "address", "add", `${this.address(HUB)}/24`, "dev", "bridge"]);
    need("ip", ["-n", hub, "link", "set", "bridge", "up"]);
    for (const host of this.#hosts) {
      const space = this.#space(host);
      need("ip", ["-n", hub, "link", "add", `to-${host}`, "type", "veth", "peer", "name", "eth0", "netns", space]);
      need("ip", ["-n", hub, "link", "set", `to-${host}`, "master", "bridge", "up"]);
      need("ip", ["-n", space, "address", "add", `${this.address(host)}/24`, "dev", "eth0"]);
      need("ip", ["-n", space, "link", "set", "eth0", "up"]);
    }
    for (const host of this.#hosts) this.#obey(host);
  }

  /** All rules of a machine, put in place of those before at one moment. */
  #obey(host: string): void {
    const rules = (direction: "saddr" | "daddr"): string[] =>
      this.#cuts
        .filter(({ one }) => one === host)
        .map(({ other, kind }) => {
          const verdict = kind === "silent" ? "drop" : "tcp flags & rst != rst reject with tcp reset";
          return `ip ${direction} ${this.address(other)} ${verdict}`;
        });
    const chain = (name: string, hook: string, lines: readonly string[]): string =>
      `chain ${name} { type filter hook ${hook} priority 0\n${lines.join("\n")}\n}\n`;
    const table = `table inet cuts {\n${chain("from", "input", rules("saddr"))}${chain("to", "output", rules("daddr"))}}\n`;
    const [program, ...args] = [...this.within(host), "nft", "-f", "-"];
    need(program, args, `table inet cuts\ndelete table inet cuts\n${table}`);
  }
}

function command(
  program: string,
  args: readonly string[],
  input = "",
): { readonly ok: boolean; readonly text: string } {
  const { status, stderr, error } = spawnSync(program, [...args], { input, encoding: "utf8" });
  return { ok: status === 0, text: error?.message ?? stderr };
}

function need(program: string, args: readonly string[], input?: string): void {
  const { ok, text } = command(program, args, input);
  if (!ok) throw new Error(`${program} ${args.join(" ")}: ${text}`);
}
