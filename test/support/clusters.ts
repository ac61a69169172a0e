/** `pe-client cluster` in a test: a user's state folder of its own, and the end of every process that was started from there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { runClient, type Outcome } from "./client.ts";
import { signalProcess } from "./cluster-programs.ts";
import { testFolder } from "./folders.ts";

const inUse = new Set<string>();

// What a test that failed has left running on this machine.
afterEach(() => {
  for (const folder of inUse) for (const pid of processesOf(folder).keys()) signalProcess(pid, "SIGKILL");
  inUse.clear();
});

/** What `status --json` and `start --json` tell. */
export interface Told {
  readonly started?: boolean;
  readonly address: string;
  readonly accessFile: string;
  readonly well: boolean;
  readonly members: readonly ToldMember[];
}

export interface ToldMember {
  readonly role: string;
  readonly name: string;
  readonly host: string;
  readonly process?: string;
  readonly state: string;
  readonly joined: { readonly state: string; readonly slots: number; readonly finished: number } | null;
}

export interface ClusterUser {
  /** All that this user has. */
  readonly folder: string;
  /** Runs pe-client, whose end the test looks at. */
  run(...args: readonly string[]): Promise<Outcome>;
  /** Runs a pe-client that must succeed. @returns What it prints. */
  well(...args: readonly string[]): Promise<string>;
  /** The JSON that a command that succeeds prints. */
  told(...args: readonly string[]): Promise<Told>;
}

export async function clusterUser(): Promise<ClusterUser> {
  const folder = await testFolder();
  inUse.add(folder);
  const env = { XDG_STATE_HOME: folder, PE_ACCESS_FILE: "" };
  const run = async (...args: readonly string[]): Promise<Outcome> => await runClient(args, { env });
  const well = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(...args);
    expect(status, `pe-client ${args.join(" ")}: ${stderr}`).toBe(0);
    return stdout;
  };
  const told = async (...args: readonly string[]): Promise<Told> => JSON.parse(await well(...args, "--json")) as Told;
  return { folder, run, well, told };
}

/** Processes of this machine whose command line names something in the folder, by their numbers. */
export function processesOf(folder: string): ReadonlyMap<number, string> {
  const others = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const all = others.map((name) => [Number(name), commandLine(name)] as const);
  return new Map(all.filter(([, command]) => command.includes(folder)));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8").replaceAll("\0", " ");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

/** Number of the process of a member. */
export function pidOf({ process: text = "" }: ToldMember): number {
  const [, digits = ""] = /^process (\d+)$/.exec(text) ?? [];
  expect(digits).not.toBe("");
  return Number(digits);
}
