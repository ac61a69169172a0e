/**
 * Stands before an S3 server, or alone, and spoils what it is told to. Requests go through byte for byte, with the host
 * that was signed, so that signatures stay valid.
 */
import { once } from "node:events";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it came. */
export interface Asked {
  readonly method: string;
  /** With its query, still escaped. */
  readonly url: string;
  readonly range: string | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly accessKey: string | undefined;
}

export type Fault =
  /** An answer of our own; nobody else is asked. */
  | { readonly answer: number; readonly headers?: Record<string, string>; readonly body?: Uint8Array | string }
  /** The connection is reset before anything is said. */
  | "reset"
  /** Nothing is ever said. */
  | "silence"
  /** The server is asked, and its answer lost. */
  | "lost answer"
  /** The server's answer, altered. */
  | {
      /** Its head is changed. */
      readonly head?: (head: Record<string, string>) => void;
      /** Its body is changed. */
      readonly body?: (body: Buffer) => Buffer;
      /** So many bytes of the body come; then this happens. */
      readonly after?: readonly [bytes: number, "end" | "reset" | "silence"];
      /** Without length, in chunks: `end` is then an end like any other. */
      readonly chunked?: boolean;
    };

export interface FaultProxy {
  readonly endpointUrl: string;
  /** Everything that was asked since the last `take`. */
  take(): Asked[];
  /** What happens to each request; undefined: nothing. */
  plan: (asked: Asked) => Fault | undefined | Promise<Fault | undefined>;
  stop(): Promise<void>;
}

export async function startFaultProxy(targetPort?: number): Promise<FaultProxy> {
  let asked: Asked[] = [];
  const server = createServer((request, response) => {
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    const seen = seenIn(request);
    asked.push(seen);
    const carried = async (): Promise<void> => await carry(request, response, await proxy.plan(seen), targetPort);
    void carried().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: FaultProxy = {
    endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan: () => undefined,
    take() {
      const taken = asked;
      asked = [];
      return taken;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

function seenIn({ method, url, headers }: IncomingMessage): Asked {
  return {
    method: method ?? "",
    url: url ?? "",
    range: headers.range,
    ifMatch: headers["if-match"],
    ifNoneMatch: headers["if-none-match"],
    accessKey: /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1],
  };
}

async function carry(
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
  targetPort: number | undefined,
): Promise<void> {
  // What nobody reads would hide that the connection was closed.
  if (fault === "silence") return void request.resume();
  if (fault === "reset") return void request.socket.resetAndDestroy();
  const sent = await collected(request);
  if (typeof fault === "object" && "answer" in fault) {
    response.writeHead(fault.answer, { "content-type": "application/xml", ...fault.headers });
    return void response.end(request.method === "HEAD" ? undefined : (fault.body ?? ""));
  }
  const answer = await askServer(request, sent, targetPort);
  if (fault === "lost answer") return void request.socket.resetAndDestroy();
  await pass(request, response, answer, typeof fault === "object" ? fault : {});
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

async function askServer(request: IncomingMessage, sent: Buffer, port: number | undefined): Promise<Answer> {
  const { method, url: path, rawHeaders } = request;
  const outgoing = forward({ host: "127.0.0.1", port, method, path, setHost: false, agent: false });
  for (let index = 0; index < rawHeaders.length; index += 2)
    outgoing.setHeader(rawHeaders[index]!, rawHeaders[index + 1]!);
  outgoing.end(sent);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as const),
  );
  return { status: incoming.statusCode!, headers, body: await collected(incoming) };
}

async function collected(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  { head, body: change, after, chunked = false }: Exclude<Fault, string | { answer: number }>,
): Promise<void> {
  const headers = { ...answer.headers };
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) delete headers[name];
  const body = change === undefined ? answer.body : change(answer.body);
  head?.(headers);
  if (chunked) delete headers["content-length"];
  response.writeHead(answer.status, headers);
  if (after === undefined) return void response.end(body);
  const [bytes, then] = after;
  response.flushHeaders();
  if (bytes > 0) await new Promise((resolve) => response.write(body.subarray(0, bytes), resolve));
  if (then === "end") response.end();
  else if (then === "reset") request.socket.destroy();
}

/** The body of an error as S3 servers write it. */
export function errorBody(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>told so</Message></Error>`;
}

/** The first `times` requests that fit meet the fault. */
export function atFirst(times: number, fits: (asked: Asked) => boolean, fault: Fault): FaultProxy["plan"] {
  let left = times;
  return (seen) => (fits(seen) && left-- > 0 ? fault : undefined);
}
