/** Which S3 server, as whom: the same options for every command that reads or writes there. */
import type { CommandSpec, Given, OptionSpec } from "../../common/command-line/command.ts";

export const S3_OPTIONS: readonly OptionSpec[] = [
  { flags: "--endpoint-url URL", about: "of an S3 server that is not Amazon's (default: AWS_ENDPOINT_URL_S3)" },
  { flags: "--region NAME", about: "region of the bucket (default: AWS_REGION, or the profile's)" },
  { flags: "--profile NAME", about: "profile of the shared AWS configuration files (default: AWS_PROFILE)" },
  {
    flags: "--anonymous",
    about: "ask without credentials, as for a public bucket; workers take all four from their own environment",
  },
];

/** The command, with options for the S3 server that its addresses `s3://bucket/key` lie on. */
export function withS3Options(command: CommandSpec): CommandSpec {
  return {
    ...command,
    options: [...command.options, ...S3_OPTIONS],
    run: async (given, console) => {
      chooseS3(given, process.env);
      return await command.run(given, console);
    },
  };
}

/** Credentials in the environment that would come before those of a profile. */
const CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/**
 * Puts what the user says into the environment, where every store of this process finds it, also those of its threads.
 * Nothing of it goes to a scheduler or into a file: a worker may reach the same store by another name, as somebody else.
 */
export function chooseS3(given: Given, environment: NodeJS.ProcessEnv): void {
  const [endpointUrl, region, profile] = [given.text("endpoint-url"), given.text("region"), given.text("profile")];
  if (endpointUrl !== undefined) {
    environment.AWS_ENDPOINT_URL_S3 = endpointUrl;
    delete environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS;
  }
  if (region !== undefined) environment.AWS_REGION = region;
  if (profile !== undefined) {
    environment.AWS_PROFILE = profile;
    for (const name of CREDENTIALS) delete environment[name];
  }
  if (given.flag("anonymous")) environment.PE_S3_ANONYMOUS = "1";
}
