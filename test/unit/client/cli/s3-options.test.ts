import { expect, test } from "vitest";
import { Given } from "../../../../common/command-line/command.ts";
import { chooseS3, S3_OPTIONS } from "../../../../client/cli/s3-options.ts";

test("chooseS3() leaves the environment as it is where nothing is said", () => {
  const environment = { AWS_ACCESS_KEY_ID: "key", AWS_ENDPOINT_URL_S3: "http://there" };
  chooseS3(new Given([]), environment);
  expect(environment).toEqual({ AWS_ACCESS_KEY_ID: "key", AWS_ENDPOINT_URL_S3: "http://there" });
});

test("chooseS3() puts endpoint, region and a public bucket before what the environment says", () => {
  const environment = { AWS_REGION: "there", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
  chooseS3(
    new Given([
      ["endpoint-url", "http://here:7480"],
      ["region", "here"],
      ["anonymous", true],
    ]),
    environment,
  );
  expect(environment).toEqual({
    AWS_REGION: "here",
    AWS_ENDPOINT_URL_S3: "http://here:7480",
    PE_S3_ANONYMOUS: "1",
  });
});

test("chooseS3() takes the credentials of a profile that is named, not those of the environment", () => {
  const environment = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret", AWS_SESSION_TOKEN: "token" };
  chooseS3(new Given([["profile", "lab"]]), environment);
  expect(environment).toEqual({ AWS_PROFILE: "lab" });
});

test("S3_OPTIONS says that workers have an environment of their own", () => {
  expect(S3_OPTIONS.map(({ about }) => about).join()).toContain("workers take all four from their own environment");
});
