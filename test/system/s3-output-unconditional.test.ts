/** Maps on a store without conditional writes: merged, after a look, by one program at a time; against a real server. */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { intoOutput } from "../../client/maps/maps-output.ts";
import { readObjectAt, writeObjectAt } from "../../data/objects/by-address.ts";
import { fileFolder } from "../support/folders.ts";
import { asUser, makeBucket } from "../support/s3/as-user.ts";
import type { S3Server } from "../support/s3/server.ts";
import { reasonAgainstSwift, startSwift } from "../support/s3/swift.ts";

const START_MS = 120_000;

const against = reasonAgainstSwift();
if (against !== undefined) test.skip(`maps to a store without conditions: ${against}`, () => {});
else describe("maps to a store without conditions", () => suite());

function suite(): void {
  let server: S3Server;
  let restore: () => void;

  beforeAll(async () => {
    server = await startSwift();
    restore = asUser(server);
    process.env.AWS_ENDPOINT_URL_S3 = server.endpointUrl;
    process.env.XDG_STATE_HOME = await fileFolder();
    await makeBucket(server, "lasers");
  }, START_MS);
  afterAll(async () => {
    restore?.();
    delete process.env.AWS_ENDPOINT_URL_S3;
    delete process.env.XDG_STATE_HOME;
    await server?.stop();
  });

  test("intoOutput() merges into what is there, also what came since it looked first", async () => {
    const url = "s3://lasers/results/list.txt";
    const textAt = async (path: string): Promise<string> => await readFile(path, "utf8").catch(() => "");
    const append = async (line: string, meanwhile?: () => Promise<unknown>): Promise<void> => {
      await intoOutput(url, textAt, async ({ publish }) => {
        await meanwhile?.();
        await publish(async (path, found) => await writeFile(path, `${found}${line}\n`));
      });
    };
    await append("one");
    await append("three", async () => await writeObjectAt(url, Buffer.from("one\ntwo\n")));
    expect(Buffer.from((await readObjectAt(url))!.bytes).toString()).toBe("one\ntwo\nthree\n");
  });
}
