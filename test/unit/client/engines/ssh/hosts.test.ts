import { describe, expect, test } from "vitest";
import { byHost, hostsIn, parseHost, parseHosts, placeWorkers } from "../../../../../client/engines/ssh/hosts.ts";

describe("parseHost()", () => {
  test.each([
    ["lab7", { target: "lab7", label: "lab7" }],
    ["me@lab7.example.org:2222", { target: "me@lab7.example.org", port: 2222, label: "lab7.example.org:2222" }],
    ["10.0.0.5", { target: "10.0.0.5", label: "10.0.0.5" }],
    ["me@[fe80::1]:22", { target: "me@fe80::1", port: 22, label: "[fe80::1]:22" }],
  ])("reads %s", (text, host) => {
    expect(parseHost(text)).toEqual(host);
  });

  test.each([
    "",
    "-oProxyCommand=x",
    "me@-x",
    "-x@lab7",
    "lab7:0",
    "lab7:65536",
    "lab 7",
    "lab7;x",
    "lab7:22:22",
    "@lab7",
  ])("refuses %j, which ssh or a shell could take for something else", (text) => {
    expect(() => parseHost(text)).toThrow(/^Cannot use the host ".*": expected \[user@\]host\[:port\]/);
  });
});

describe("parseHosts()", () => {
  test("refuses none", () => {
    expect(() => parseHosts([])).toThrow(/on no hosts: name them, or give a --hosts-file/);
  });
});

describe("hostsIn()", () => {
  test("reads one or more a line, without comments", () => {
    expect(hostsIn("# the lab\nlab1 lab2\r\n\n  me@lab3 # the old one\n")).toEqual(["lab1", "lab2", "me@lab3"]);
  });
});

describe("placeWorkers()", () => {
  const names = (texts: readonly string[], count: number): string[] =>
    placeWorkers(parseHosts(texts), count).map(({ name }) => name);

  test("gives each host one, then each a second one", () => {
    expect(names(["a", "b"], 5)).toEqual(["a", "b", "a-2", "b-2", "a-3"]);
  });

  test("gives a host that is named twice two turns", () => {
    expect(names(["a", "a", "b"], 4)).toEqual(["a", "a-2", "b", "a-3"]);
  });

  test("has every worker at the same place however many there are", () => {
    for (let count = 0; count < 9; count++)
      expect(names(["a", "b", "a"], 9).slice(0, count)).toEqual(names(["a", "b", "a"], count));
  });
});

describe("byHost()", () => {
  test("has each login once, in the order of the hosts, and tells ports apart", () => {
    const groups = byHost(placeWorkers(parseHosts(["gate:1", "gate:2", "gate:1"]), 3));
    expect(groups.map(({ host, here }) => [host.label, here.map(({ name }) => name)])).toEqual([
      ["gate:1", ["gate:1", "gate:1-2"]],
      ["gate:2", ["gate:2"]],
    ]);
  });
});
