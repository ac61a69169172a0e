/**
 * Where credentials come from, against a real S3 server: the role of a machine and of a container, profiles, programs; and
 * that they are renewed in mid-run. (AWS's single sign-on cannot be tried without an account.)
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openObjectStore } from "../../data/objects/open.ts";
import { PATIENCE } from "../../data/objects/patience.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { runClient, runWell } from "../support/client.ts";
import { testFolder } from "../support/folders.ts";
import { accessTo, asUser, makeBucket, setEnvironment } from "../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../support/s3/ceph.ts";
import { errorBody, startFaultProxy, type FaultProxy } from "../support/s3/fault-proxy.ts";
import { startMetadataServer, type Keys, type MetadataServer } from "../support/s3/metadata-server.ts";
import type { S3Server } from "../support/s3/server.ts";

const START_MS = 120_000;
const SECOND: Keys = { accessKey: "SECONDKEY", secretKey: "secondsecret" };
const patience = { ...PATIENCE, waitFirstMs: 1, waitMostMs: 4 };
/** Nothing of whoever runs the tests. */
const NOBODY = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
  AWS_CONTAINER_CREDENTIALS_FULL_URI: undefined,
  AWS_CONTAINER_AUTHORIZATION_TOKEN: undefined,
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: undefined,
};

const against = reasonAgainstCeph();
if (against !== undefined) test.skip(`credentials: ${against}`, () => {});
else describe("credentials", () => suite());

function suite(): void {
  let server: S3Server;
  let proxy: FaultProxy;
  let metadata: MetadataServer;
  let folder: string;
  let putBack: () => void;
  let store: ObjectStore | undefined;
  const content = randomBytes(100_000);
  let etag: string;

  beforeAll(async () => {
    server = await startCeph([[SECOND.accessKey, SECOND.secretKey]]);
    proxy = await startFaultProxy(server.port);
    await makeBucket(server, "lasers");
    const restore = asUser(server);
    const straight = openObjectStore("s3://lasers", accessTo(server));
    etag = (await straight.write("a  b", content)).version;
    straight.close();
    restore();
  }, START_MS);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    metadata = await startMetadataServer(server);
    folder = await testFolder();
    proxy.take();
  });
  afterEach(async () => {
    putBack();
    proxy.plan = () => undefined;
    store?.close();
    store = undefined;
    await metadata.stop();
  });

  const roleOfMachine = (): Record<string, string> => {
    return { AWS_EC2_METADATA_DISABLED: "false", AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url };
  };
  const roleOfContainer = (): Record<string, string> => ({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${metadata.url}/container`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: metadata.authorization,
  });
  /** A program that tells the keys of a file, and counts its runs there. */
  const program = (): Record<string, string> => {
    const [config, script, keys] = ["config", "tell.mjs", "keys.json"].map((name) => join(folder, name));
    writeFileSync(keys!, JSON.stringify({ ...metadata.keys, runs: 0 }));
    writeFileSync(
      script!,
      `import { readFileSync, writeFileSync } from "node:fs";
       const told = JSON.parse(readFileSync(${JSON.stringify(keys)}, "utf8"));
       writeFileSync(${JSON.stringify(keys)}, JSON.stringify({ ...told, runs: told.runs + 1 }));
       console.log(JSON.stringify({ Version: 1, AccessKeyId: told.accessKey, SecretAccessKey: told.secretKey }));`,
    );
    writeFileSync(config!, `[profile lab]\ncredential_process = "${process.execPath}" "${script}"\n`);
    return { AWS_CONFIG_FILE: config!, AWS_PROFILE: "lab" };
  };
  const profile = (): Record<string, string> => {
    const file = join(folder, "credentials");
    const { accessKey, secretKey } = metadata.keys;
    writeFileSync(file, `[lab]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`);
    return { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: "lab" };
  };
  /** All sources give other keys from now on. */
  const replaceKeys = (keys: Keys): void => {
    metadata.keys = keys;
    const file = join(folder, "keys.json");
    try {
      writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...keys }));
    } catch {
      // No program is asked in this test.
    }
    profile();
  };

  const sources: [string, () => Record<string, string>][] = [
    ["the role of the machine", roleOfMachine],
    ["the role of the container", roleOfContainer],
    ["a program of a profile", program],
    ["a profile", profile],
  ];

  test.each(sources)(
    "of %s read, and are renewed in mid-run when the store says that they have expired",
    async (_, source) => {
      putBack = setEnvironment({ ...NOBODY, ...source() });
      store = openObjectStore("s3://lasers", accessTo(proxy, { patience }));
      let requests = 0;
      proxy.plan = ({ accessKey }) => {
        // The second half of the object is asked for after the first keys have expired.
        if (++requests === 1) return { after: [50_000, "reset"] };
        if (accessKey === SECOND.accessKey) return { answer: 200, headers: { etag: `"${etag}"` }, body: content };
        replaceKeys(SECOND);
        return { answer: 400, body: errorBody("ExpiredToken") };
      };
      expect(Buffer.compare((await store.read("a  b")).bytes, content)).toBe(0);
      const [first, second, third, ...more] = proxy.take().map(({ accessKey }) => accessKey);
      expect([first, second, third, more]).toEqual([server.accessKey, server.accessKey, SECOND.accessKey, []]);
    },
  );

  test.each(sources.slice(0, 2))(
    "of %s are kept for as long as they last, and fetched anew before they run out",
    async (_, source) => {
      putBack = setEnvironment({ ...NOBODY, ...source() });
      store = openObjectStore("s3://lasers", accessTo(server));
      for (let round = 0; round < 5; round++) await store.stat("a  b");
      expect(metadata.handedOut).toBe(1);
      store.close();
      // Less than the SDK takes for sure.
      metadata.lastMs = 60_000;
      store = openObjectStore("s3://lasers", accessTo(server));
      for (let round = 0; round < 5; round++) await store.stat("a  b");
      expect(metadata.handedOut).toBeGreaterThan(2);
    },
  );

  test("of a role that the service no longer hands out are an error that says so", async () => {
    putBack = setEnvironment({ ...NOBODY, ...roleOfMachine() });
    await metadata.stop();
    store = openObjectStore("s3://lasers", accessTo(server, { patience }));
    await expect(store.read("a  b")).rejects.toMatchObject({ code: "PE_CREDENTIALS" });
    metadata = await startMetadataServer(server);
  });

  test("of a profile are found by --profile, whatever the environment holds, and by nobody else", async () => {
    const { AWS_SHARED_CREDENTIALS_FILE } = profile();
    putBack = setEnvironment({
      ...NOBODY,
      AWS_SHARED_CREDENTIALS_FILE,
      AWS_ACCESS_KEY_ID: "WRONG",
      AWS_SECRET_ACCESS_KEY: "wrong",
      AWS_ENDPOINT_URL_S3: server.endpointUrl,
    });
    await runWell(["doctor", "s3://lasers/checked", "--profile", "lab"]);
    const wrong = await runClient(["doctor", "s3://lasers/checked"]);
    expect(wrong.stdout).toContain("InvalidAccessKeyId");
    expect((await runClient(["doctor", "s3://lasers/checked", "--profile", "none"])).status).toBe(77);
  });
}
