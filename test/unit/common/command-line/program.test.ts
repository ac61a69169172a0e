import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../../common/assert.ts";
import type { CommandSpec, Given } from "../../../../common/command-line/command.ts";
import { runProgram, type ProgramSpec } from "../../../../common/command-line/program.ts";
import { PeError } from "../../../../common/errors.ts";

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly { readonly name: string; readonly given: Given }[];
}

function command(name: string, more: Partial<CommandSpec>, calls: { name: string; given: Given }[]): CommandSpec {
  return {
    name,
    about: `The command ${name}.`,
    options: [
      { flags: "--host HOST", about: "a host" },
      { flags: "--loud", about: "a switch" },
    ],
    examples: [`thing ${name} --loud`],
    run: async (given) => {
      calls.push({ name, given });
      return await Promise.resolve(calls.length - 1);
    },
    ...more,
  };
}

async function run(args: readonly string[], more: Partial<ProgramSpec> = {}): Promise<Ran> {
  const calls: { name: string; given: Given }[] = [];
  let [stdout, stderr] = ["", ""];
  const loaded =
    (name: string, spec: Partial<CommandSpec> = {}) =>
    async () =>
      await Promise.resolve(command(name, spec, calls));
  const spec: ProgramSpec = {
    name: "thing",
    about: "A thing.",
    version: "1.2.3",
    main: loaded("thing", { argument: { name: "URL", about: "a place" } }),
    commands: {
      list: loaded("list"),
      "access new": loaded("access new", { options: [{ flags: "--out FILE", about: "a file", required: true }] }),
      "access show": loaded("access show"),
    },
    ...more,
  };
  const status = await runProgram(spec, args, {
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    isTerminal: false,
  });
  return { status, stdout, stderr, calls };
}

describe("runProgram()", () => {
  test("gives all values of an argument of which there may be several, in their order", async () => {
    const argument = { name: "places", about: "where", several: true };
    const main = async () => await Promise.resolve(command("thing", { argument }, calls));
    const calls: { name: string; given: Given }[] = [];
    expect((await run(["b", "a  c", "--loud"], { main })).status).toBe(0);
    expect(calls[0]?.given.texts("places")).toEqual(["b", "a  c"]);
    expect((await run([], { main })).status).toBe(64);
  });

  test("gives all values of an option that may be given several times, and the last one of another", async () => {
    const options = [
      { flags: "--kinds DIR", about: "folders", repeatable: true },
      { flags: "--host HOST", about: "a host" },
    ];
    const commands = { list: async () => await Promise.resolve(command("list", { options }, calls)) };
    const calls: { name: string; given: Given }[] = [];
    await run(["list", "--kinds", "a", "--host", "x", "--kinds", "b,c", "--host", "y"], { commands });
    const { given } = calls[0]!;
    expect([given.texts("kinds"), given.has("kinds"), given.texts("host"), given.text("host")]).toEqual([
      ["a", "b,c"],
      true,
      [],
      "y",
    ]);
    const { stderr } = await run(["list", "--kinds", "a", "--kinds", "--host"], { commands });
    expect(stderr).toContain("Cannot read --kinds: --host follows it");
  });

  test("runs what the program does by its own name, with its options and argument", async () => {
    const { calls, status } = await run(["ws://here", "--host", "there"]);
    expect(status).toBe(0);
    expect(calls.map(({ name }) => name)).toEqual(["thing"]);
    expect(calls[0]!.given.text("URL")).toBe("ws://here");
    expect(calls[0]!.given.text("host")).toBe("there");
    expect(calls[0]!.given.flag("loud")).toBe(false);
  });

  test("gives a command options of its own, also under the names that the program has", async () => {
    const { calls } = await run(["list", "--host", "there", "--loud"]);
    expect(calls.map(({ name }) => name)).toEqual(["list"]);
    expect(calls[0]!.given.text("host")).toBe("there");
    expect(calls[0]!.given.flag("loud")).toBe(true);
  });

  test("finds a command in a group of a group, and says what a group is", async () => {
    const calls: { name: string; given: Given }[] = [];
    const commands = Object.fromEntries(
      ["farm list", "farm sheep count", "farm sheep sell", "farm cows count"].map((name) => [
        name,
        async () => await Promise.resolve(command(name, {}, calls)),
      ]),
    );
    const more = { commands, groups: { farm: "All animals.", "farm sheep": "Those with wool." } };
    expect((await run(["farm", "sheep", "count", "--loud"], more)).status).toBe(0);
    expect(calls.map(({ name, given }) => [name, given.flag("loud")])).toEqual([["farm sheep count", true]]);
    expect((await run(["farm", "--help"], more)).stdout).toMatch(/All animals\.[\s\S]*sheep +Those with wool\./);
    expect((await run(["farm", "goats"], more)).stderr).toContain("unknown command 'goats'");
    expect((await run(["farm", "sheep"], more)).status).toBe(64);
  });

  test("finds a command in a group", async () => {
    const { calls } = await run(["access", "new", "--out", "file"]);
    expect(calls.map(({ name, given }) => [name, given.text("out")])).toEqual([["access new", "file"]]);
  });

  test("names what a command lacks, and where its help is", async () => {
    const { status, stderr, calls } = await run(["access", "new"]);
    expect(status).toBe(64);
    expect(stderr).toBe("thing: Cannot access new without --out FILE; see thing access new --help [PE_PARAMETER]\n");
    expect(calls).toEqual([]);
  });

  test("refuses a group without a command, an unknown one in it, and an unknown option", async () => {
    expect((await run(["access"])).status).toBe(64);
    expect((await run(["access", "lose"])).stderr).toMatch(/^thing: unknown command 'lose'.*\[PE_PARAMETER\]\n$/);
    expect((await run(["--loudly"])).stderr).toMatch(/^thing: unknown option '--loudly'.*\[PE_PARAMETER\]\n$/);
    expect((await run(["url", "extra"])).stderr).toContain('Cannot use "extra": thing takes one URL');
    expect((await run(["--host", "--loud", "url"])).stderr).toContain("--loud follows it, not a value");
  });

  test("refuses a program without main to do nothing", async () => {
    const { status, stderr } = await run([], { main: undefined! });
    expect(status).toBe(64);
    expect(stderr).toBe("thing: name a command; see --help [PE_PARAMETER]\n");
  });

  test("prints help of program and command to stdout, with all commands and an example", async () => {
    const program = await run(["--help"]);
    expect(program.status).toBe(0);
    for (const text of ["The command thing.", "list", "access", "--host <HOST>", "$ thing thing --loud"])
      expect(program.stdout).toContain(text);
    const one = await run(["access", "new", "--help"]);
    expect(one.stdout).toContain("Usage: thing access new [options]");
    expect((await run(["--version"])).stdout).toBe("1.2.3\n");
  });

  test("tells an error in one line with its code and status, and keeps the stack of a broken invariant", async () => {
    const fails = (thrown: Error): Partial<ProgramSpec> => ({
      commands: { list: async () => await Promise.resolve(command("list", { run: () => Promise.reject(thrown) }, [])) },
    });
    const known = await run(["list"], fails(new PeError("PE_OUTPUT_BUSY", "Cannot do it:\n  busy")));
    expect(known.status).toBe(75);
    expect(known.stderr).toBe("thing: Cannot do it: busy [PE_OUTPUT_BUSY]\n");
    expect((await run(["list"], fails(new Error("odd")))).stderr).toBe(
      "thing: Unexpected error: odd [PE_UNEXPECTED]\n",
    );
    await expect(run(["list"], fails(new AssertionError("broken")))).rejects.toThrow("broken");
  });
});
