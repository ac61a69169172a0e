/** The plays of ansible/ as a user runs them who has an account on a cloud and nothing else. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import { noLab, type Lab, type Ran } from "../hosts/lab.ts";
import { PLAYS, recapOf } from "../hosts/plays.ts";
import type { CloudInLab } from "./in-lab.ts";

/** Why there can be no cloud here; undefined when there can. @param modules What Ansible's own Python has to have. */
export function noCloud(modules: readonly string[], packages: string): string | undefined {
  const reason = noLab();
  if (reason !== undefined) return reason;
  const { stdout } = spawnSync("ansible-playbook", ["--version"], { encoding: "utf8" });
  const [, python = "python3"] = /python version = .*\((\/.+)\)/.exec(stdout) ?? [];
  const { status } = spawnSync(python, ["-c", `import ${modules.join()}`]);
  return status === 0 ? undefined : `not installed here: ${packages}`;
}

export interface CloudPlayed extends Ran {
  /** Of all hosts. */
  readonly changed: number;
}

export class CloudControl {
  readonly #lab: Lab;
  readonly #cloud: CloudInLab;
  readonly #settings: Readonly<Record<string, unknown>>;
  readonly #env: Readonly<Record<string, string>>;
  /** Of the cluster, on the control machine. */
  readonly folder: string;
  readonly inventory: string;

  /** @param name Of the cluster. @param settings What goes into the file cloud. @param env Credentials and the like. */
  constructor(
    lab: Lab,
    cloud: CloudInLab,
    name: string,
    settings: Readonly<Record<string, unknown>>,
    env: Readonly<Record<string, string>>,
  ) {
    this.#lab = lab;
    this.#cloud = cloud;
    this.folder = join(lab.folder, "clouds", name);
    this.inventory = join(this.folder, "inventory");
    this.#settings = { ...settings, pe_cloud_name: name, pe_cloud_folder: this.folder };
    this.#env = {
      ...cloud.env,
      ...env,
      ANSIBLE_ASYNC_DIR: join(lab.folder, "async"),
      ANSIBLE_NOCOLOR: "1",
      ANSIBLE_LOCAL_TEMP: join(lab.folder, "tmp"),
      ANSIBLE_SSH_CONTROL_PATH_DIR: join(lab.folder, "cp"),
      HOME: lab.folder,
    };
  }

  /** Runs a play on the inventory of the cloud, whose end the test looks at. */
  async play(name: string, more: object = {}, ...args: readonly string[]): Promise<CloudPlayed> {
    const settings = JSON.stringify({ ...this.#settings, ...more });
    const command = ["ansible-playbook", "-i", this.inventory, `${name}.yml`, "-e", settings, ...args];
    const ran = await this.run(...command);
    const changed = [...recapOf(ran.stdout).values()].reduce((sum, recap) => sum + recap.changed, 0);
    return { ...ran, changed };
  }

  /** Runs a play that must succeed. */
  async playWell(name: string, more: object = {}, ...args: readonly string[]): Promise<CloudPlayed> {
    const played = await this.play(name, more, ...args);
    expect(played.status, `${name}.yml: ${played.stdout}${played.stderr}`).toBe(0);
    return played;
  }

  /** Runs a program of the control machine where the cloud is reached. */
  async run(...command: readonly string[]): Promise<Ran> {
    const [program, ...args] = [...this.#cloud.within, ...command];
    return await this.#lab.control(program!, args, { cwd: PLAYS, env: this.#env });
  }
}
