/** The ways of values between machines: a door of this worker's own, those of others, and the scheduler's port. */
import { asPeError } from "../../common/errors.ts";
import type { LogLine } from "../../common/log.ts";
import { valueToken } from "../../protocol/access.ts";
import { makeOwnCertificate } from "../../protocol/certificates.ts";
import { addressTowards } from "../../protocol/own-address.ts";
import { openDoor, type Door } from "../../protocol/transfer/door.ts";
import { createFetcher } from "../../protocol/transfer/fetching.ts";
import type { RelayAccess } from "../../protocol/transfer/relayed.ts";
import { uploadValue } from "../../protocol/transfer/uploading.ts";
import type { ValueStore } from "./store.ts";
import type { ValueWays } from "./worker-values.ts";

export interface NetworkWaysOptions {
  /** The scheduler, and the token of workers. */
  readonly relay: RelayAccess;
  /** Address of this machine to serve values at; by default the one that it reaches the scheduler from. */
  readonly host?: string | undefined;
  /** One that is free by default. */
  readonly port?: number | undefined;
  readonly log: (line: LogLine) => void;
}

/** A worker whose door cannot be opened goes on: its values are had through the scheduler. */
export async function networkWays(store: ValueStore, options: NetworkWaysOptions): Promise<ValueWays> {
  const { relay } = options;
  const { token } = relay;
  const fetcher = createFetcher();
  const tokenOf = (id: string): string | undefined => (token === undefined ? undefined : valueToken(token, id));
  const door = token === undefined ? undefined : await open(store, token, options);
  const leaving = new AbortController();
  return {
    serving: door?.at,
    fetch: async (name, bytes, sources, signal) =>
      await fetcher.fetchValue({ name, bytes, sources, token: tokenOf(name.id), relay, signal }),
    upload: async (ticket, value) => await uploadValue({ relay, ticket, value, signal: leaving.signal }),
    close: async () => {
      leaving.abort();
      fetcher.close();
      await door?.close();
    },
  };
}

async function open(
  store: ValueStore,
  token: string,
  { relay, host, port, log }: NetworkWaysOptions,
): Promise<Door | undefined> {
  try {
    const isSecure = relay.url.startsWith("wss:");
    return await openDoor({
      host: host ?? (await addressTowardsScheduler(relay.url)),
      ...(port !== undefined && { port }),
      ...(isSecure && { tls: makeOwnCertificate() }),
      tokenOf: (id) => valueToken(token, id),
      openValue: (name) => store.open(name),
      onFault: ({ id, task }, { message }) =>
        log({ level: "warn", text: `Cannot send the result of task ${task} of job "${id}": ${message}` }),
    });
  } catch (error) {
    const { message } = asPeError(error, "PE_ADDRESS", "Cannot serve values");
    log({ level: "warn", text: `${message}; others get values of this worker through the scheduler` });
    return undefined;
  }
}

/** The address of this machine from which the scheduler is reached. */
async function addressTowardsScheduler(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return await addressTowards(hostname.replace(/^\[|\]$/g, ""), Number(port === "" ? "443" : port));
}
