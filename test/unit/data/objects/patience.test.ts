import { describe, expect, test } from "vitest";
import { StoreFault } from "../../../../data/objects/fault.ts";
import { persist, PATIENCE, type Persistence } from "../../../../data/objects/patience.ts";

const patience = { ...PATIENCE, waitFirstMs: 0, waitMostMs: 0 };
const task: Persistence = { verb: "read", where: "s3://bucket/key", patience };
const passing = (): StoreFault => new StoreFault("passing", "it answers 503", { storeCode: "SlowDown" });

describe("persist()", () => {
  test("tries again what may pass, and gives what comes in the end", async () => {
    let tries = 0;
    const result = await persist(task, async () => {
      if (++tries < 5) throw passing();
      return "done";
    });
    expect(result).toBe("done");
  });

  test("gives up after a bounded number of tries, and says how many, where and why", async () => {
    let tries = 0;
    await expect(
      persist(task, async () => {
        tries++;
        throw passing();
      }),
    ).rejects.toMatchObject({
      code: "PE_STORE_UNAVAILABLE",
      message: `Cannot read s3://bucket/key: it answers 503 (tried ${PATIENCE.triesMax} times)`,
      details: { tries: PATIENCE.triesMax, storeCode: "SlowDown" },
    });
    expect(tries).toBe(PATIENCE.triesMax);
  });

  test("does not count tries that make progress, within a bound", async () => {
    let tries = 0;
    await expect(
      persist(task, async ({ progress }) => {
        tries++;
        progress();
        throw passing();
      }),
    ).rejects.toMatchObject({ code: "PE_STORE_UNAVAILABLE" });
    expect(tries).toBe(PATIENCE.triesInAllMax);
  });

  test.each([
    ["missing", "PE_OBJECT_MISSING"],
    ["denied", "PE_OBJECT_DENIED"],
    ["changed", "PE_OBJECT_CHANGED"],
    ["conflict", "PE_OBJECT_CONFLICT"],
    ["corrupt", "PE_OBJECT_CORRUPT"],
    ["no credentials", "PE_CREDENTIALS"],
    ["expired", "PE_CREDENTIALS"],
    ["refused", "PE_STORE_REFUSED"],
  ] as const)("does not repeat what is %s", async (kind, code) => {
    let tries = 0;
    await expect(
      persist(task, async () => {
        tries++;
        throw new StoreFault(kind, "no");
      }),
    ).rejects.toMatchObject({ code });
    expect(tries).toBe(1);
  });

  test("renews credentials that expired, but not for ever", async () => {
    let renewals = 0;
    const renew = async (): Promise<void> => void renewals++;
    expect(
      await persist({ ...task, renew }, async () => {
        if (renewals === 0) throw new StoreFault("expired", "expired");
        return "done";
      }),
    ).toBe("done");
    await expect(
      persist({ ...task, renew }, async () => {
        throw new StoreFault("expired", "expired");
      }),
    ).rejects.toMatchObject({ code: "PE_CREDENTIALS" });
    expect(renewals).toBe(3);
  });

  test("begins no try when nothing came for too long", async () => {
    let tries = 0;
    await expect(
      persist({ ...task, patience: { ...patience, stuckMs: 0 } }, async () => {
        tries++;
        await new Promise((resolve) => setTimeout(resolve, 2));
        throw passing();
      }),
    ).rejects.toMatchObject({ code: "PE_STORE_UNAVAILABLE" });
    expect(tries).toBe(1);
  });

  test("lets bugs through as they are", async () => {
    await expect(
      persist(task, async () => {
        throw new TypeError("bug");
      }),
    ).rejects.toThrow(TypeError);
  });

  test("ends when it is aborted", async () => {
    const ending = new AbortController();
    const ended = persist({ ...task, signal: ending.signal }, async () => {
      ending.abort();
      throw passing();
    });
    await expect(ended).rejects.toMatchObject({ name: "AbortError" });
  });
});
