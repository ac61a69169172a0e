/**
 * The one file that imports the AWS SDK, when the first request is made: loading it takes 0.1 s.
 *
 * The SDK finds credentials, signs, and speaks HTTP. It does not retry (`patience.ts` does), nor check what it gets
 * (`reading.ts` does): it would take an answer that was cut short for whole, and wait for ever on a silent one.
 */
import { lookup as lookUp } from "node:dns";
import { Agent as PlainAgent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { LookupFunction } from "node:net";
import type * as Sdk from "@aws-sdk/client-s3";
import { PeError } from "../../common/errors.ts";
import { faultOf } from "./s3-faults.ts";
import { isForbiddenHost, settleS3, type S3Access, type S3Settings, type SharedProfile } from "./s3-settings.ts";
import { PATIENCE, type Patience } from "./patience.ts";
import { answeredWithin } from "./watchdog.ts";

/** What a request is made of. */
export interface Speaking {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.S3Client;
  readonly options: { readonly abortSignal: AbortSignal };
}

export interface S3Connection extends S3Settings {
  /**
   * Makes one request; the body of its answer is not waited for.
   *
   * @param bytesSent With the request: sending them may take its time.
   * @throws {StoreFault}
   */
  ask<Answer>(
    signal: AbortSignal | undefined,
    act: (speaking: Speaking) => Promise<Answer>,
    bytesSent?: number,
  ): Promise<Answer>;
  /** Reads the credentials anew, wherever they come from. */
  renew(): Promise<void>;
}

export interface S3Line {
  /** Opened by the first call. @throws {PeError} `PE_PARAMETER` */
  connection(): Promise<S3Connection>;
  close(): void;
}

const CONNECTIONS_MAX = 64;
const CONNECT_MS = 5000;
/** A request that is sent more slowly is given up: half a megabyte a second. One that stands still ends sooner, with its socket. */
const SENT_BYTES_PER_MS_MIN = 500;
/** Several readers meet expired credentials at once; one renewal serves them all. */
const RENEWED_LATELY_MS = 1000;

export function s3Line(access: S3Access): S3Line {
  const agents = {
    httpAgent: new PlainAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, lookup: guardedLookup }),
    httpsAgent: new SecureAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, lookup: guardedLookup }),
  };
  let opening: Promise<S3Connection> | undefined;
  return {
    connection: async () => await (opening ??= connect(access, agents)),
    close() {
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
}

type Agents = { readonly httpAgent: PlainAgent; readonly httpsAgent: SecureAgent };

async function connect(access: S3Access, agents: Agents): Promise<S3Connection> {
  // Its version is pinned to one that supports this Node; the user need not be told of later ones.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const sdk = await import("@aws-sdk/client-s3");
  const settings = settleS3(access, await readProfile(access), process.env);
  const patience = access.patience ?? PATIENCE;
  let client = makeClient(sdk, access, settings, patience, agents);
  let renewedMs = -Infinity;
  let renewing: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    await readProfile(access, true);
    client = makeClient(sdk, access, settings, patience, agents);
    renewedMs = performance.now();
    renewing = undefined;
  };
  return {
    ...settings,
    async ask(signal, act, bytesSent = 0) {
      try {
        return await answeredWithin(
          patience.idleMs + bytesSent / SENT_BYTES_PER_MS_MIN,
          signal,
          async (abortSignal) => {
            return await act({ sdk, client, options: { abortSignal } });
          },
        );
      } catch (error) {
        signal?.throwIfAborted();
        throw faultOf(error);
      }
    },
    async renew() {
      if (performance.now() - renewedMs < RENEWED_LATELY_MS) return;
      await (renewing ??= renew());
    },
  };
}

function makeClient(
  sdk: typeof Sdk,
  access: S3Access,
  settings: S3Settings,
  patience: Patience,
  agents: Agents,
): Sdk.S3Client {
  const client = new sdk.S3Client({
    region: settings.region,
    maxAttempts: 1,
    requestHandler: {
      ...agents,
      connectionTimeout: Math.min(CONNECT_MS, patience.idleMs),
      socketTimeout: patience.idleMs,
    },
    // A continuation that never comes would be waited for.
    expectContinueHeader: false,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    followRegionRedirects: settings.isAmazon,
    forcePathStyle: !settings.isAmazon,
    ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
    ...(access.profile !== undefined && { profile: access.profile }),
    ...(settings.isAnonymous && {
      credentials: { accessKeyId: "anonymous", secretAccessKey: "anonymous" },
      signer: { sign: async (request) => request },
    }),
  });
  // The SDK would check the body too where it asks for stored checksums, and end the stream with an error of its own.
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const request = args.request as { headers: Record<string, string> };
        if (/^(Get|Head)ObjectCommand$/.test(commandName ?? "")) request.headers["x-amz-checksum-mode"] = "ENABLED";
        return await next(args);
      },
    { step: "build", name: "askForStoredChecksums" },
  );
  return client;
}

/** @param anew Past what the SDK keeps of the files in memory. */
async function readProfile({ profile }: S3Access, anew = false): Promise<SharedProfile> {
  const { loadSharedConfigFiles } = await import("@smithy/core/config");
  const { configFile } = await loadSharedConfigFiles({ ignoreCache: anew });
  const name = profile ?? process.env.AWS_PROFILE ?? "default";
  const found = configFile[name];
  const services = found?.services === undefined ? undefined : configFile[`services.${found.services}`];
  const endpointUrl = services?.["s3.endpoint_url"] ?? found?.endpoint_url;
  return {
    ...(endpointUrl !== undefined && { endpointUrl }),
    ...(found?.region !== undefined && { region: found.region }),
  };
}

/** A name that leads to where an endpoint must not lie is refused when it is looked up, whatever it led to before. */
const guardedLookup: LookupFunction = (host, options, done) => {
  lookUp(host, options, (error, address, family) => {
    const addresses = typeof address === "string" ? [address] : (address ?? []).map((found) => found.address);
    const forbidden = addresses.find(isForbiddenHost);
    if (error === null && forbidden !== undefined)
      done(
        new PeError(
          "PE_PARAMETER",
          `Cannot use the endpoint ${host}: it leads to ${forbidden}, which is no object store`,
        ),
        "",
      );
    else done(error, address, family);
  });
};
