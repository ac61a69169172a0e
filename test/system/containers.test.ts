/** Dockerfile and compose.yaml as a user takes them, with podman as the engine: from the bundle to a correct map, and nothing left. */
import { cpSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS, ROOT, runWell } from "../support/client.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";
import { BASE, noContainers, Podman } from "../support/containers.ts";
import { fileFolder } from "../support/folders.ts";
import { makeBundle } from "../support/hosts/plays.ts";
import { compareMaps } from "../support/maps-files.ts";

const reason = noContainers();
if (reason !== undefined) console.warn(`test/system/containers.test.ts is skipped: ${reason}`);

/** Neither root nor the user of the image, as on a user's machine. */
const USER = 12_345;
const MAPS = ["--orders", "3-5", "--delays", "1-3"];

describe.skipIf(reason !== undefined)("compose.yaml", () => {
  let folder: string;
  let project: string;
  let podman: Podman;

  const compose = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await podman.run("podman-compose", args, project);
    // What it calls may fail and it goes on: each says how it ended.
    expect(`${stdout}${stderr}`).not.toMatch(/exit code: [1-9]/);
    expect(status, stderr).toBe(0);
    return stdout;
  };
  const client = async (...args: readonly string[]): Promise<string> => {
    const reach = ["--access-file", join(project, "access/access.json"), "--scheduler", "wss://localhost:8786"];
    return await podman.well(process.execPath, join(ROOT, "dist/client/cli/main.js"), ...args, ...reach);
  };
  const containers = async (): Promise<string[]> =>
    (await podman.well("podman", "ps", "--all", "--format", "{{.Names}}")).split("\n").filter(Boolean).toSorted();

  beforeAll(async () => {
    folder = await fileFolder();
    project = join(folder, "pe-cluster");
    mkdirSync(join(project, "ansible"), { recursive: true });
    for (const name of ["Dockerfile", ".dockerignore", "compose.yaml", "containers"])
      cpSync(join(ROOT, name), join(project, name), { recursive: true });
    const engine = join(folder, "podman");
    mkdirSync(engine);
    podman = new Podman(engine, { PE_CLUSTER_BASE: BASE, PE_CLUSTER_USER: `${USER}:${USER}`, PE_CLUSTER_THREADS: "1" });
    await Promise.all([makeBundle(join(project, "ansible")), podman.makeBase()]);
    await compose("build");
  }, HOOK_MS);

  afterAll(async () => await podman?.close(), HOOK_MS);

  test("builds images that hold the package and no secret, whose programs are not root's", async () => {
    const access = join(project, "access");
    mkdirSync(access);
    chownSync(access, USER, USER);
    const names = ["scheduler,localhost", "--out", "/access/access.json", "--worker-out", "/access/worker-access.json"];
    const made = ["pe-scheduler", "access", "new", "--host", ...names];
    const mounted = ["--rm", "--user", `${USER}:${USER}`, "--volume", `${access}:/access`];
    await podman.well("podman", "run", ...mounted, "pe-scheduler", ...made);
    expect(readdirSync(access).toSorted()).toEqual([
      "access.cert.pem",
      "access.json",
      "access.key.pem",
      "worker-access.json",
    ]);
    for (const image of ["pe-scheduler", "pe-worker"]) {
      const look = 'const fs = require("node:fs"); console.log(process.getuid(), fs.readdirSync("/run").join())';
      const said = await podman.well("podman", "run", "--rm", image, "node", "-e", look);
      expect(said, image).toMatch(/^10001 (?!.*secrets)/);
    }
  });

  test("brings up a scheduler that is healthy and two workers, which make a correct map of shards that they do not see", async () => {
    await compose("up", "-d");
    expect(await containers()).toEqual(["pe-cluster_scheduler_1", "pe-cluster_worker_1", "pe-cluster_worker_2"]);
    const healthy = async (): Promise<boolean> =>
      (await podman.run("podman", ["healthcheck", "run", "pe-cluster_scheduler_1"])).status === 0;
    await eventually(healthy, () => "the scheduler is well");
    await eventually(
      async () => (JSON.parse(await client("workers", "--json")) as unknown[]).length === 2,
      () => "two workers join",
    );
    const shards = join(folder, "shards");
    const grid = ["--grid", "6x4", "--shard-size", "2", "--samples", "4000", "--seed", "3"];
    await runWell(["simulate", "--model", "injection", ...grid, "--output", shards]);
    const [there, here] = [join(folder, "there.hdf5"), join(folder, "here.hdf5")];
    await client("submit", "--upload", "--wait", "--input", shards, "--output", there, ...MAPS);
    await runWell(["run", "--input", shards, "--output", here, ...MAPS]);
    expect(await compareMaps(there, here)).toEqual([]);
  });

  test("lets programs write to their own folder alone, and tells when the scheduler is not well", async () => {
    const inside = async (script: string): Promise<string> =>
      (await podman.run("podman", ["exec", "pe-cluster_worker_1", "sh", "-c", script])).stdout.trim();
    expect(await inside("id -u")).toBe(String(USER));
    expect(await inside("for f in /x /opt/pe-cluster/x /run/secrets/x; do touch $f && echo $f; done")).toBe("");
    expect(await inside("touch /var/lib/pe-cluster/x /tmp/x && echo well")).toBe("well");
    expect(
      await inside('while read name value; do [ "$name" != CapEff: ] || echo $value; done < /proc/self/status'),
    ).toBe("0000000000000000");
    const look = ["exec", "pe-cluster_scheduler_1", "node", "/opt/pe-cluster/healthy.mjs"];
    expect(await podman.run("podman", look)).toMatchObject({ status: 0, stdout: '{"status":"ok"}\n' });
    const first = await podman.well("podman", "inspect", "--format", "{{.State.Pid}}", "pe-cluster_scheduler_1");
    signalProcess(Number(first), "SIGSTOP");
    const { status, stderr } = await podman.run("podman", look);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("does not answer within 4000 ms"),
    });
    signalProcess(Number(first), "SIGCONT");
  });

  test("is taken down with nothing left", async () => {
    await compose("down", "--volumes");
    expect(await containers()).toEqual([]);
    expect(await podman.well("podman", "volume", "ls", "--quiet")).toBe("");
  });
});
