/** Which S3 server, as whom: what the user says, then the environment, then the shared configuration files of AWS. */
import { BlockList, isIP } from "node:net";
import { PeError } from "../../common/errors.ts";
import type { Patience } from "./patience.ts";

/** What a user may say; all of it is optional. */
export interface S3Access {
  /** Of a server that is not Amazon's, such as `http://127.0.0.1:7480`. */
  readonly endpointUrl?: string;
  readonly region?: string;
  /** Of the shared configuration files. */
  readonly profile?: string;
  /** Requests without a signature, for public buckets. */
  readonly anonymous?: boolean;
  /** For tests. */
  readonly patience?: Patience;
}

/** A profile of the shared configuration files, as far as it is of use here. */
export interface SharedProfile {
  readonly endpointUrl?: string;
  readonly region?: string;
}

export interface S3Settings {
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Amazon's, or one that only speaks as it does. */
  readonly isAmazon: boolean;
  /** Nobody between here and there can alter bytes unseen. */
  readonly isCarrierSafe: boolean;
  /** Requests carry no signature. */
  readonly isAnonymous: boolean;
}

const REGION_DEFAULT = "us-east-1";

/** @throws {PeError} `PE_PARAMETER` for an endpoint that is no address, or one that must not be asked. */
export function settleS3(
  access: S3Access,
  profile: SharedProfile,
  environment: Readonly<Record<string, string | undefined>>,
): S3Settings {
  const ignored = environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === "true";
  const configured = ignored
    ? undefined
    : (environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL ?? profile.endpointUrl);
  const endpoint = access.endpointUrl ?? (configured === "" ? undefined : configured);
  const url = endpoint === undefined ? undefined : endpointOf(endpoint);
  return {
    endpoint: url?.href.replace(/\/+$/, ""),
    region:
      access.region ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? profile.region ?? REGION_DEFAULT,
    isAmazon: url === undefined || /\.amazonaws\.com(\.cn)?$/.test(url.hostname),
    isCarrierSafe: url === undefined || url.protocol === "https:",
    isAnonymous: access.anonymous ?? environment.PE_S3_ANONYMOUS === "1",
  };
}

/** @throws {PeError} `PE_PARAMETER` */
function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw unusable(text, "expected an address such as https://s3.example.org");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw unusable(text, "it may hold neither a password nor a question; credentials come from the environment");
  const host = url.hostname.replaceAll(/[[\]]/g, "");
  if (isForbiddenHost(host))
    throw unusable(text, "that is the address of a machine's own credentials, which is no object store");
  return url;
}

/** Link-local addresses, where clouds hand out the credentials of a machine, and their other names. */
const forbidden = new BlockList();
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("fd00:ec2::", 32, "ipv6");
forbidden.addAddress("100.100.100.200", "ipv4");

const FORBIDDEN_NAMES =
  /^(metadata|instance-data)(\.google\.internal|\.ec2\.internal|\.azure\.com|\.azure\.internal)?\.?$/i;

/** Whether no endpoint may lie there: asked of what the user names, and of every address that a name leads to. */
export function isForbiddenHost(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return FORBIDDEN_NAMES.test(host);
  return forbidden.check(host, family === 4 ? "ipv4" : "ipv6");
}

function unusable(text: string, reason: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot use the endpoint "${text.slice(0, 300)}": ${reason}`);
}
