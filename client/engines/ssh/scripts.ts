/**
 * What is done on a host, as scripts of the shell that come by stdin, so that nothing in them is seen in a list of processes.
 * They answer in lines `word TAB value`.
 */
import { posix } from "node:path";
import { WORDS_LINES } from "../programs.ts";
import { lines, quoted } from "../shell.ts";
import type { Bundle } from "./bundle.ts";
import type { Placed } from "./hosts.ts";

export interface OnHost {
  /** Of the cluster on each host; absolute, or in the home of the user. `current` in it is the package. */
  readonly folder: string;
  /** Node there. */
  readonly node: string;
}

type Process = Pick<Placed, "program" | "name">;

const TAB = "\t";
/** Of a file in a script; no line of one is like this. */
const END = "pe-cluster-end-of-file";

/**
 * Tells what is there: `node VERSION`, `old-node VERSION` or nothing; `package` when the host has it, which is then the current
 * one; `address` as this host was reached, and `from` of who reaches it.
 */
export function lookScript({ folder, node }: OnHost, bundle: Bundle): string {
  const enough = `const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||a===20&&b>=19?0:1)`;
  const target = packageFolder(bundle);
  return lines(
    `set -- \${SSH_CONNECTION:-}`,
    `printf 'from\\t%s\\naddress\\t%s\\n' "\${1:-}" "\${3:-}"`,
    `if version=$(${quoted(node)} -p process.versions.node </dev/null 2>/dev/null); then`,
    `  ${quoted(node)} -e ${quoted(enough)} </dev/null && word=node || word=old-node`,
    `  printf '%s\\t%s\\n' $word "$version"`,
    "fi",
    `if cd ${quoted(folder)} 2>/dev/null && [ -d ${target} ]; then ${makeCurrent(bundle)} && echo package; fi`,
    "exit 0",
  );
}

/** A command that unpacks what comes by stdin. Two hosts may share their home: the second one finds what the first has made. */
export function unpackCommand({ folder }: OnHost, bundle: Bundle): string {
  const target = packageFolder(bundle);
  const script = lines(
    "umask 077",
    `mkdir -p ${quoted(folder)} && cd ${quoted(folder)} || exit 73`,
    // Numbers of processes are those of one host.
    `made=${target}.$(uname -n).$$`,
    `mkdir "$made" && tar -xzf - -C "$made" || { rm -rf "$made"; exit 73; }`,
    `[ -d ${target} ] || mv "$made" ${target} || exit 73`,
    // What came too late, beside what is there or, where it was made between two commands, in it.
    `rm -rf "$made" "${target}/$made"`,
    makeCurrent(bundle),
  );
  return `exec sh -c ${quoted(script)}`;
}

/** Writes files that others must not read, whole or not at all. */
export function filesScript({ folder }: OnHost, files: Readonly<Record<string, string>>): string {
  return lines(
    "umask 077",
    `mkdir -p ${quoted(`${folder}/logs`)} && cd ${quoted(folder)} || exit 73`,
    ...Object.entries(files).flatMap(([name, text]) => [
      `cat >${quoted(`${name}.new`)} <<'${END}' && mv ${quoted(`${name}.new`)} ${quoted(name)} || exit 73`,
      text.trimEnd(),
      END,
    ]),
  );
}

/** After `filesScript`: starts processes that go on by themselves, one after the other; the first that cannot start ends it. */
export function startScript(
  on: OnHost,
  processes: readonly (Process & { readonly arguments: readonly string[] })[],
): string {
  return lines(
    ...processes.map((process) => {
      const file = fileOf(process);
      const own = ["--detach", "--pid-file", `${file}.pid`, "--log-file", `logs/${file}.log`];
      const words = [...process.arguments, ...own];
      return `${programOf(on, process)} ${words.map(quoted).join(" ")} </dev/null >/dev/null || exit`;
    }),
  );
}

/** Tells `pid FILE NUMBER` of each process that runs, and `words FILE LINE`, where FILE is its `fileOf`. */
export function listScript(on: OnHost, processes: readonly Process[], words: boolean): string {
  const tell = (file: string): string[] => [
    `tail -n ${WORDS_LINES} ${quoted(`logs/${file}.log`)} 2>/dev/null | while IFS= read -r line; do`,
    `  printf 'words\\t%s\\t%s\\n' ${quoted(file)} "$line"; done`,
  ];
  return lines(
    // Where nothing was ever started, nothing runs.
    `cd ${quoted(on.folder)} 2>/dev/null || exit 0`,
    ...processes.flatMap((process) => {
      const file = fileOf(process);
      const pidFile = quoted(`${file}.pid`);
      const status = `${programOf(on, process)} status --pid-file ${pidFile} </dev/null 2>/dev/null`;
      return [
        `[ -f ${pidFile} ] && ${status} | sed -n 's/.* runs as process \\([0-9]*\\)$/\\1/p' | while read -r pid; do`,
        `  printf 'pid\\t%s\\t%s\\n' ${quoted(file)} "$pid"; done`,
        ...(words ? tell(file) : []),
      ];
    }),
    "exit 0",
  );
}

/** Ends processes, all at once, and waits until they have. */
export function stopScript(on: OnHost, processes: readonly Process[], drainSeconds: number): string {
  return lines(
    `cd ${quoted(on.folder)} 2>/dev/null || exit 0`,
    "all=",
    ...processes.map((process) => {
      const pidFile = quoted(`${fileOf(process)}.pid`);
      const stop = `${programOf(on, process)} stop --pid-file ${pidFile} --timeout ${drainSeconds}`;
      return `if [ -f ${pidFile} ]; then ${stop} </dev/null >/dev/null & all="$all $!"; fi`;
    }),
    "for one in $all; do wait $one || exit; done",
  );
}

/** Removes what opens the scheduler's doors, or with `purge` everything. */
export function removeScript({ folder }: OnHost, purge: boolean): string {
  return purge
    ? lines(`rm -rf ${quoted(folder)} || exit`, `rmdir ${quoted(posix.dirname(folder))} 2>/dev/null`, "exit 0")
    : lines(`cd ${quoted(folder)} 2>/dev/null || exit 0`, "rm -f ./*.json ./*.pem ./*.new");
}

/** What a script has answered: the values of a word. */
export function answersOf(answered: readonly string[], word: string): string[][] {
  return answered
    .map((line) => line.split(TAB))
    .filter(([first]) => first === word)
    .map(([, ...values]) => values);
}

/** What the files of a process begin with. */
export function fileOf({ program, name }: Process): string {
  return program === "scheduler" ? program : `worker-${name.replaceAll(/[^\w.-]/g, "_")}`;
}

function programOf({ node }: OnHost, { program }: Process): string {
  return `${quoted(node)} current/dist/${program}/main.js`;
}

function packageFolder({ id }: Bundle): string {
  return `package-${id}`;
}

function makeCurrent(bundle: Bundle): string {
  return `ln -sfn ${quoted(`${packageFolder(bundle)}/${bundle.place}`)} current`;
}
