/**
 * An S3 server on this machine with the made shards in a bucket, watched from outside: requests by its own log, CPU time by
 * the system. It is Ceph's object gateway, which keeps objects in memory here.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asUser, makeBucket, putObjects } from "../test/support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../test/support/s3/ceph.ts";

/** As keys of this field are: with spaces. */
const BUCKET = "lasers";
const PREFIX = "Optically  Injected/shards";

/** The log has a line some time after the answer. */
const LOG_QUIET_MS = 500;
/** Of Linux: `getconf CLK_TCK`. */
const TICKS_PER_SECOND = 100;

export interface ShardServer {
  /** Address of the shards. */
  readonly url: string;
  /** CPU time of all its programs, ms. */
  cpuMs(): Promise<number>;
  /** GETs of shards since it started, by name. */
  gets(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

/** Starts the server with the shards of `folder`; this process and those that it starts are its users from then on. */
export async function startShardServer(folder: string, shards: readonly string[]): Promise<ShardServer> {
  const reason = reasonAgainstCeph();
  if (reason !== undefined) throw new Error(`Cannot measure storage: ${reason}`);
  const server = await startCeph();
  try {
    asUser(server);
    process.env.AWS_ENDPOINT_URL_S3 = server.endpointUrl;
    process.env.AWS_REGION = "us-east-1";
    await makeBucket(server, BUCKET);
    await putObjects(server, BUCKET, contents(folder, shards));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url: `s3://${BUCKET}/${PREFIX}`,
    cpuMs: async () => {
      const times = await Promise.all(server.pids.map(async (pid) => await cpuMsOf(pid)));
      return times.reduce((sum, ms) => sum + ms, 0);
    },
    gets: async () => {
      await sleep(LOG_QUIET_MS);
      return countGets(await readFile(server.requestLog, "utf8"));
    },
    stop: server.stop,
  };
}

async function* contents(folder: string, shards: readonly string[]): AsyncGenerator<[string, Uint8Array]> {
  for (const name of shards) yield [`${PREFIX}/${name}`, await readFile(join(folder, name))];
}

/** Lines of the gateway's log such as `"GET /lasers/Optically%20%20Injected/shards/raw_shard_000_000.hdf5?x-id=GetObject HTTP/1.1" 200`. */
function countGets(log: string): Map<string, number> {
  const gets = new Map<string, number>();
  for (const [, name] of log.matchAll(/"GET [^" ]*\/(raw_shard_\w+\.hdf5)[^" ]* HTTP\/1\.1" 20/g))
    gets.set(name!, (gets.get(name!) ?? 0) + 1);
  return gets;
}

/** The first `count` made shards of a folder. */
export async function shardsOf(folder: string, count: number): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^raw_shard_\d+_000\.hdf5$/.test(name));
  return names.toSorted((a, b) => xOf(a) - xOf(b)).slice(0, count);
}

function xOf(name: string): number {
  return Number(name.split("_")[2]);
}

async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold spaces: state is field 3, times in user and system mode are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
