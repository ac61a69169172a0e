/** dask.distributed as a contestant: a process of peers/dask_peer.py that is asked line by line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Contestant, Figures, Measure, TransferMeasure } from "./contestant.ts";

// This file runs as dist-bench/bench/dask-peer.js.
const FOLDER = fileURLToPath(new URL("../../bench/peers/", import.meta.url));
/** The release that `peers/setup.sh` installs, and Debian's. */
const PYTHONS = [`${FOLDER}.venv/bin/python`, "/usr/bin/python3"] as const;

/** Pythons of this machine that have dask.distributed; the paths. */
export async function findDasks(): Promise<string[]> {
  const found: string[] = [];
  for (const python of PYTHONS) {
    if (!existsSync(python)) continue;
    const child = spawn(python, ["-c", "import distributed"], { stdio: "ignore" });
    const [code] = (await once(child, "exit")) as [number];
    if (code === 0) found.push(python);
  }
  return found;
}

interface DaskContestant extends Contestant {
  run(measure: Measure | TransferMeasure): Promise<Figures>;
}

/** Resolves when the cluster has answered a first batch of tasks. @throws {Error} when it does not come up */
export async function startDask(python: string, configuration: string): Promise<DaskContestant> {
  const child = spawn(python, [`${FOLDER}dask_peer.py`, configuration], { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <Answer>(): Promise<Answer> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`dask (${python}, ${configuration}) ended: ${child.exitCode ?? "by a signal"}`);
    return JSON.parse(value) as Answer;
  };
  const { version } = await answer<{ version: string }>();
  return {
    name: `dask ${version} ${configuration}`,
    async run(measure: Measure | TransferMeasure) {
      child.stdin.write(`${JSON.stringify(measure)}\n`);
      return await answer<Figures>();
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}
