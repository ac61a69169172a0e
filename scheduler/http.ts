/**
 * What the scheduler answers over HTTP beside its doors: `/health`, `/parts/NAME`, `/values/JOB/TASK` and `/relay/TICKET`.
 *
 * Whoever has no token learns whether the scheduler is well, and nothing else; and only under a name that the scheduler is
 * known by, so that a web page cannot reach it through a name of its own.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { hostname } from "node:os";
import { isIP } from "node:net";
import { asPeError } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import { isLoopback } from "../protocol/access-file.ts";
import { isTokenOf, tokenOf } from "../protocol/access.ts";
import type { ValueName } from "../protocol/held-values.ts";
import { answer, refuse } from "./answers.ts";
import type { SchedulerHealth } from "./health.ts";
import { servePart, type PartFolder } from "./part-door.ts";
import type { PartsHealth } from "./part-room.ts";
import type { Relay, RelayHealth } from "./relay.ts";

export interface HttpOptions {
  /** Either of them opens everything here. Undefined while the scheduler starts. */
  readonly tokens: () => readonly string[] | undefined;
  /** Undefined while the scheduler starts. */
  readonly health: () => SchedulerHealth | undefined;
  readonly parts: PartFolder;
  readonly relay: Relay;
  /** Names under which requests without a token may come, besides addresses and those of this machine. */
  readonly hosts: readonly string[];
  readonly log: (line: LogLine) => void;
}

/** A connection on which a request stands still for so long is closed. */
const IDLE_MS = 30_000;

export function handleHttp(options: HttpOptions): RequestListener {
  return (request, response) => {
    request.setTimeout(IDLE_MS, () => request.destroy());
    response.on("error", () => undefined);
    serve(options, request, response).catch((error: unknown) => {
      const { code, message } = asPeError(error, "PE_UNEXPECTED", "Cannot answer");
      options.log({ level: "error", text: `${request.method} ${request.url?.slice(0, 200)}: ${message}` });
      // What went wrong inside may name folders; who asked gets the code.
      refuse(response, 500, code, "The scheduler could not answer; its log says why");
    });
  };
}

async function serve(options: HttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const tokens = options.tokens();
  const token = tokenOf(request.headers.authorization);
  const isKnown = token !== undefined && tokens !== undefined && isTokenOf(token, tokens);
  if (!isKnown && !isOwnName(request.headers.host, options.hosts))
    return refuse(response, 421, "PE_ACCESS", "The scheduler is not known by this name; use its address");
  const path = (request.url ?? "").split("?", 1)[0]!;
  if (path === "/health") return tellHealth(await healthOf(options), isKnown, request, response);
  if (tokens === undefined)
    return refuse(response, 503, "PE_CONNECTION", "The scheduler is starting; try again in a moment");
  if (!isKnown) {
    response.setHeader("www-authenticate", "Bearer");
    return refuse(response, 401, "PE_ACCESS", "Send the token of the access file: Authorization: Bearer TOKEN");
  }
  const [, room, ...names] = path.split("/");
  if (room === "parts" && names.length === 1) return await servePart(options.parts, names[0]!, request, response);
  const value = room === "values" ? valueNamed(names) : undefined;
  if (value !== undefined) return await options.relay.giveValue(value, request, response);
  if (room === "relay" && names.length === 1) return options.relay.takeUpload(names[0]!, request, response);
  refuse(response, 404, "PE_PARAMETER", "There are /health, /parts/NAME and /values/JOB/TASK here");
}

const U32_MAX = 0xffff_ffff;

/** The value of a path `/values/JOB/TASK`. */
function valueNamed([job, task, ...more]: readonly string[]): ValueName | undefined {
  if (job === undefined || !/^\d{1,10}$/.test(task ?? "") || Number(task) > U32_MAX || more.length > 0)
    return undefined;
  try {
    return { id: decodeURIComponent(job), task: Number(task) };
  } catch {
    return undefined;
  }
}

/** Of the scheduler and of its store of parts: whichever is not well gives the status. */
interface Health extends Omit<SchedulerHealth, "status"> {
  readonly status: SchedulerHealth["status"] | `parts-${Exclude<PartsHealth["status"], "ok">}`;
  readonly parts: PartsHealth;
  readonly relay: RelayHealth;
}

async function healthOf({ health, relay, parts: { room } }: HttpOptions): Promise<Health | undefined> {
  const scheduler = health();
  if (scheduler === undefined) return undefined;
  const parts = await room.health();
  const status =
    scheduler.status === "ok" && parts.status !== "ok" ? (`parts-${parts.status}` as const) : scheduler.status;
  return { ...scheduler, status, parts, relay: relay.health };
}

/** For monitors: 503 unless all is well. Details are for those who have a token. */
function tellHealth(
  health: Health | undefined,
  isKnown: boolean,
  { method }: IncomingMessage,
  response: ServerResponse,
): void {
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return refuse(response, 405, "PE_PARAMETER", `/health takes GET and HEAD, not ${method}`);
  }
  const status = health?.status ?? "starting";
  answer(response, status === "ok" ? 200 : 503, isKnown && health !== undefined ? health : { status });
}

/** Whether a request came under a name that a stranger's web page cannot have: rebinding a name to this address takes a name. */
function isOwnName(header: string | undefined, hosts: readonly string[]): boolean {
  const host = (header ?? "").replace(/:\d+$/, "").toLowerCase();
  if (isLoopback(host) || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) return true;
  return [hostname(), ...hosts].some((name) => name.toLowerCase() === host);
}
