/** What S3 servers, the network and the AWS SDK say when something goes wrong, in our own words. */
import { PeError } from "../../common/errors.ts";
import { StoreFault, type FaultKind } from "./fault.ts";

/** By the store's own name for it; else the status decides. */
const BY_CODE: Readonly<Record<string, FaultKind>> = {
  ExpiredToken: "expired",
  ExpiredTokenException: "expired",
  TokenRefreshRequired: "expired",
  RequestExpired: "expired",
  CredentialsProviderError: "no credentials",
  TokenProviderError: "no credentials",
  NoSuchKey: "missing",
  NotFound: "missing",
  NoSuchBucket: "missing",
  InvalidRange: "out of range",
  PreconditionFailed: "changed",
  // The other writer may yet fail.
  ConditionalRequestConflict: "passing",
  OperationAborted: "passing",
  // The bytes were altered, or cut short, on their way to the store.
  BadDigest: "passing",
  IncompleteBody: "passing",
  XAmzContentChecksumMismatch: "passing",
  XAmzContentSHA256Mismatch: "passing",
  RequestTimeout: "passing",
  // The clock is wrong; the SDK has learnt by how much.
  RequestTimeTooSkewed: "passing",
  TimeoutError: "passing",
  SlowDown: "passing",
  Throttling: "passing",
  InternalError: "passing",
};

const BY_STATUS: Readonly<Record<number, FaultKind>> = {
  401: "denied",
  403: "denied",
  404: "missing",
  408: "passing",
  409: "passing",
  412: "changed",
  416: "out of range",
  425: "passing",
  429: "passing",
};

/** Connections that are refused, reset, or lead nowhere. */
const NETWORK = /^(E[A-Z]+|UND_ERR_[A-Z_]+|HPE_[A-Z_]+|ERR_STREAM_PREMATURE_CLOSE|ERR_SSL_[A-Z_]+)$/;
/** Certificates do not get better by waiting. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

interface Said {
  readonly name?: string;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

/** `error` as a fault; what is none of the store's, the network's or the SDK's stays as it is. */
export function faultOf(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreFault || error instanceof PeError) return error;
  const said = error as Error & Said;
  const status = said.$metadata?.httpStatusCode ?? said.$response?.statusCode;
  const errno = typeof said.code === "string" ? said.code : undefined;
  const storeCode = typeof said.Code === "string" ? said.Code : said.name;
  const known = BY_CODE[storeCode ?? ""];
  if (known !== undefined) return fault(known, said, status, storeCode);
  if (errno !== undefined && CERTIFICATE.test(errno)) return fault("refused", said, undefined, errno);
  if (errno !== undefined && NETWORK.test(errno)) return fault("passing", said, undefined, errno);
  if (status === undefined) return error;
  if (status >= 500 && status !== 501) return fault("passing", said, status, storeCode);
  // An answer of 2xx that is an error is one that was not understood: cut short, or another server's.
  if (status < 300) return fault("passing", said, status, storeCode);
  return fault(BY_STATUS[status] ?? "refused", said, status, storeCode);
}

function fault(kind: FaultKind, said: Error & Said, status: number | undefined, storeCode: string | undefined) {
  const asked = Number(said.$response?.headers?.["retry-after"]);
  const waitMs = Number.isFinite(asked) && asked > 0 ? asked * 1000 : 0;
  return new StoreFault(kind, reasonOf(kind, said, status, storeCode), {
    cause: withoutAnswer(said),
    storeCode,
    waitMs,
  });
}

/** The SDK's errors hold the whole answer and its request, signature and all; who prints an error shall not print those. */
function withoutAnswer({ name, message, stack }: Error): Error {
  const plain = new Error(message);
  plain.name = name;
  if (stack !== undefined) plain.stack = stack;
  return plain;
}

function reasonOf(
  kind: FaultKind,
  said: Error & Said,
  status: number | undefined,
  storeCode: string | undefined,
): string {
  if (kind === "missing") return storeCode === "NoSuchBucket" ? "there is no such bucket" : "there is no such object";
  if (kind === "changed") return "it is another version now";
  if (kind === "no credentials") return "there are no credentials";
  const name = [storeCode, status].filter((part) => part !== undefined && part !== "Error").join(", ");
  const text = said.message.replaceAll(/\s+/g, " ").slice(0, 200);
  const quoted = text === "" || text === storeCode || text === "UnknownError" ? "" : `: ${text}`;
  if (kind === "denied") return `the store does not allow it (${name}${quoted})`;
  if (kind === "expired") return `the credentials have expired (${name})`;
  return status === undefined ? `the connection failed (${name}${quoted})` : `it answers ${name}${quoted}`;
}
