import { describe, expect, test } from "vitest";
import { parseHosts } from "../../../../../client/engines/ssh/hosts.ts";
import type { SshClusterOptions } from "../../../../../client/engines/ssh/options.ts";
import { addressForAll } from "../../../../../client/engines/ssh/remote-scheduler.ts";

function clusterOf(...names: readonly string[]): SshClusterOptions {
  return { hosts: parseHosts(names), sshOptions: [], node: "node", folder: "there" };
}

describe("addressForAll()", () => {
  const [host] = clusterOf("lab1").hosts;

  test("is that of the connection, without its interface", () => {
    expect(addressForAll("10.0.0.5", host!, clusterOf("lab1", "lab2"))).toBe("10.0.0.5");
    expect(addressForAll("fe80::1%eth0", host!, clusterOf("lab1", "lab2"))).toBe("fe80::1");
  });

  test("is the loopback's only where all hosts are one", () => {
    expect(addressForAll("127.0.0.1", host!, clusterOf("lab1", "lab1"))).toBe("127.0.0.1");
    expect(() => addressForAll("127.0.0.1", host!, clusterOf("lab1", "lab2"))).toThrow(
      /^Cannot use 127.0.0.1 for the scheduler: .*; name one that all hosts reach with --address$/,
    );
  });

  test("is asked for where ssh tells none", () => {
    expect(() => addressForAll("", host!, clusterOf("lab1"))).toThrow(/ssh to lab1 does not say; .* --address$/);
  });
});
