/** Which scheduler a command means, where its options leave that open. */
import { connect } from "node:net";
import type { Given } from "../../common/command-line/command.ts";
import { PeError } from "../../common/errors.ts";
import { defaultAccessFile, readAccessFile } from "../../protocol/access-file.ts";
import { clusterFiles, clusterFolder, clusterNames } from "../engines/cluster-record.ts";

/** A scheduler of this machine takes a connection at once, or is not there; a busy machine takes its time. */
const CONNECT_MS = 3000;

/**
 * The access file that the options mean: what `--access-file` or `--cluster` names; else, where neither `--scheduler` nor
 * `PE_ACCESS_FILE` names one, that of the only cluster that `pe-client cluster` has started. Undefined: the default one.
 *
 * @throws {PeError} `PE_CLUSTER_UNKNOWN`; `PE_PARAMETER` when several could be meant.
 */
export async function chosenAccessFile(
  given: Given,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const [file, cluster] = [given.text("access-file"), given.text("cluster")];
  if (file !== undefined && cluster !== undefined)
    throw new PeError("PE_PARAMETER", "Cannot use --cluster and --access-file together: a cluster has its own file");
  if (file !== undefined) return file;
  const names = await clusterNames(environment);
  if (cluster !== undefined) return accessOf(cluster, names, environment);
  const isNamed = given.has("scheduler") || (environment.PE_ACCESS_FILE ?? "") !== "";
  const [only, ...others] = names;
  if (isNamed || only === undefined) return undefined;
  if (others.length > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot tell which cluster is meant: there are ${names.join(", ")}; name one with --cluster NAME`,
    );
  const access = accessOf(only, names, environment);
  await refuseOther(only, access, environment);
  return access;
}

function accessOf(name: string, names: readonly string[], environment: NodeJS.ProcessEnv): string {
  const { access } = clusterFiles(clusterFolder(name, environment));
  if (names.includes(name)) return access;
  const known = names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
  throw new PeError("PE_CLUSTER_UNKNOWN", `Cannot find a cluster "${name}": ${known}; see pe-client cluster list`);
}

/** A scheduler that somebody started by hand may be meant as well: work must not go to the wrong one without a word. */
async function refuseOther(name: string, access: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const [cluster, other] = await Promise.all([access, defaultAccessFile(undefined, environment)].map(readAccessFile));
  if (other === undefined || other.url === cluster?.url || !(await answers(new URL(other.url)))) return;
  throw new PeError(
    "PE_PARAMETER",
    `Cannot tell which scheduler is meant: cluster "${name}" and the one at ${other.url} both run; ` +
      `add --cluster ${name}, or --scheduler ${other.url}`,
  );
}

function answers({ hostname, port }: URL): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) });
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      done(isThere);
    };
    socket.setTimeout(CONNECT_MS, end(false));
    socket.once("connect", end(true)).once("error", end(false));
  });
}
