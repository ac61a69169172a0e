import { describe, expect, test } from "vitest";
import { isForbiddenHost, settleS3 } from "../../../../data/objects/s3-settings.ts";

describe("settleS3()", () => {
  test("prefers what is said, then the environment, then the profile", () => {
    const profile = { endpointUrl: "http://profile:1", region: "profile-1" };
    const environment = { AWS_ENDPOINT_URL: "http://all:2", AWS_ENDPOINT_URL_S3: "http://s3:3", AWS_REGION: "env-1" };
    const said = { endpointUrl: "http://said:4/", region: "said-1" };
    expect(settleS3(said, profile, environment)).toMatchObject({ endpoint: "http://said:4", region: "said-1" });
    expect(settleS3({}, profile, environment)).toMatchObject({ endpoint: "http://s3:3", region: "env-1" });
    expect(settleS3({}, profile, { AWS_ENDPOINT_URL: "http://all:2" })).toMatchObject({ endpoint: "http://all:2" });
    expect(settleS3({}, profile, {})).toMatchObject({ endpoint: "http://profile:1", region: "profile-1" });
    expect(settleS3({}, {}, {})).toMatchObject({ endpoint: undefined, region: "us-east-1", isAmazon: true });
    const ignoring = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true", AWS_ENDPOINT_URL: "http://all:2" };
    expect(settleS3({}, profile, ignoring).endpoint).toBeUndefined();
  });

  test("asks without a signature only where it is told to", () => {
    expect(settleS3({}, {}, {}).isAnonymous).toBe(false);
    expect(settleS3({}, {}, { PE_S3_ANONYMOUS: "1" }).isAnonymous).toBe(true);
    expect(settleS3({ anonymous: true }, {}, {}).isAnonymous).toBe(true);
  });

  test("knows Amazon's own endpoints, and which carry bytes unaltered", () => {
    const of = (endpointUrl: string) => settleS3({ endpointUrl }, {}, {});
    expect(of("https://s3.eu-west-1.amazonaws.com")).toMatchObject({ isAmazon: true, isCarrierSafe: true });
    expect(of("https://s3.amazonaws.com.example.org")).toMatchObject({ isAmazon: false, isCarrierSafe: true });
    expect(of("http://127.0.0.1:7480")).toMatchObject({ isAmazon: false, isCarrierSafe: false });
  });

  test.each([
    "http://169.254.169.254",
    "http://169.254.169.254:80/latest",
    "http://2852039166",
    "http://0xA9FEA9FE/",
    "http://[::ffff:169.254.169.254]",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://metadata.google.internal",
    "ftp://s3.example.org",
    "s3.example.org",
    "http://user:secret@s3.example.org",
    "",
  ])("refuses the endpoint %j", (endpointUrl) => {
    expect(() => settleS3({ endpointUrl }, {}, {})).toThrow(expect.objectContaining({ code: "PE_PARAMETER" }));
  });

  test("refuses one of the environment and of a profile as well", () => {
    const bad = "http://169.254.169.254";
    expect(() => settleS3({}, {}, { AWS_ENDPOINT_URL_S3: bad })).toThrow("no object store");
    expect(() => settleS3({}, { endpointUrl: bad }, {})).toThrow("no object store");
  });
});

test("isForbiddenHost() lets private networks be: stores live there", () => {
  for (const host of ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd12::1", "s3.example.org"])
    expect(isForbiddenHost(host)).toBe(false);
});
