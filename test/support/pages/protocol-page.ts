/** docs/PROTOCOL.md: every message with its fields, their types, limits and comments; the states of tasks. */
import { describe, type Messages, type TypeDescription } from "../../../protocol/schema.ts";
import { MAY_FOLLOW, TASK_STATES, type TaskStateName } from "../../../scheduler/core/task-state.ts";
import { commentsOf } from "./declarations.ts";
import { row, sourceOf } from "./printed.ts";

const U32_MAX = 0xffff_ffff;

export function printLink(link: Messages, file: string, name: string): string {
  const tables = commentsOf(sourceOf(file));
  const comments = tables.get(name)!;
  return describe(link)
    .map(({ name: message, since, fields }, index) => {
      const lines = [`### ${message}`, "", `Type ${index}${version(since)}. ${comments.get(message) ?? ""}`.trim(), ""];
      if (fields.length === 0) lines.push("No fields.", "");
      else lines.push("| field | type | about |", "| --- | --- | --- |");
      for (const field of fields) {
        lines.push(
          row(
            `\`${field.name}\``,
            typeText(field.type) + version(field.since),
            comments.get(`${message}.${field.name}`) ?? "",
          ),
        );
        for (const [part, about] of tables.get(field.name) ?? [])
          lines.push(row(`\`${field.name}.${part}\``, "", about));
      }
      return [...lines, ""].join("\n");
    })
    .join("\n");
}

function version(since: number | undefined): string {
  return since === undefined ? "" : `, since version ${since}`;
}

function typeText(type: TypeDescription): string {
  switch (type.type) {
    case "text":
      return `text of at most ${type.max}`;
    case "bytes":
      return `at most ${type.max} bytes`;
    case "uint32s":
      return `column of at most ${type.max}`;
    case "integer":
      return type.min === 0 && type.max === U32_MAX ? "u32" : `integer, ${type.min} to ${type.max}`;
    case "float":
      return "number";
    case "flag":
      return "flag";
    case "oneOf":
      return type.words.map((word) => `\`${word}\``).join(" or ");
    case "list":
      return `list of at most ${type.max}: ${typeText(type.item)}`;
    case "object":
      return `{ ${type.fields.map(({ name, type: inner }) => `${name}: ${typeText(inner)}`).join("; ")} }`;
    case "optional":
      return `${typeText(type.of)}, or absent`;
  }
}

/** The states of a task and what leads from one to the other, with what the code says of each. */
export function printStates(): string {
  const about = aboutStates();
  const arrows = TASK_STATES.flatMap((from) => MAY_FOLLOW[from].map((to) => `  ${from} --> ${to}`));
  return [
    "```mermaid",
    "stateDiagram-v2",
    "  [*] --> waiting",
    "  [*] --> queued",
    ...arrows,
    "```",
    "",
    "| state | leaves for | about |",
    "| --- | --- | --- |",
    ...TASK_STATES.map((state) => row(`\`${state}\``, MAY_FOLLOW[state].join(", ") || "nothing", about[state] ?? "")),
  ].join("\n");
}

function aboutStates(): Partial<Record<TaskStateName, string>> {
  const [comment = ""] = sourceOf("scheduler/core/task-state.ts").split("*/");
  const text = comment.replaceAll(/\n \*/g, " ").replaceAll(/\s+/g, " ");
  return Object.fromEntries(
    [...text.matchAll(/- `(\w+)`: (.*?)(?= - `|$)/g)].map(([, state, says]) => [state!, says!.trim()]),
  );
}
