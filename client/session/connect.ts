/** A connection to the door for clients, with what the access file says. */
import { connectSocket } from "../../protocol/socket.ts";
import { readAccess, type AccessGrant } from "../../protocol/access-file.ts";
import { clientToScheduler, schedulerToClient } from "../../protocol/client-link.ts";
import type { ClientConnection } from "./link.ts";

export interface ConnectAccess {
  readonly accessFile?: string | undefined;
  readonly token?: string | undefined;
  readonly ca?: string | undefined;
}

const DOOR = "/client";

/** @throws {PeError} `PE_CONNECTION`, `PE_ACCESS`, `PE_PARAMETER`; the reason of `signal` when it aborts. */
export async function connectClient(grant: AccessGrant, signal: AbortSignal): Promise<ClientConnection> {
  return await connectSocket(`${grant.url.replace(/\/+$/, "")}${DOOR}`, {
    link: { out: clientToScheduler, in: schedulerToClient },
    token: grant.token,
    ca: grant.ca,
    signal,
  });
}

/**
 * What opens the scheduler's doors. The access file is to be read for each connection: a scheduler that comes back may have
 * written another.
 *
 * @throws {PeError} `PE_ACCESS`, `PE_PARAMETER`
 */
export async function grantFor(
  url: string | undefined,
  { accessFile, token, ca }: ConnectAccess,
): Promise<AccessGrant> {
  if (url !== undefined && token !== undefined) return { url, token, ca };
  return await readAccess({ role: "client", file: accessFile, url });
}
