/**
 * How a message is declared: once, as a table of fields. From the table come its type, its check, its form on the wire,
 * and its line in the documents.
 *
 * ```ts
 * export const toScheduler = messages({
 *   // Every 0.5 s.
 *   heartbeat: { held: list(object({ key: text(64), attempt: integer(1, 1_000_000) }), 4096) },
 * });
 * export type ToScheduler = Infer<typeof toScheduler>; // { type: "heartbeat", held: readonly { key, attempt }[] }
 * ```
 *
 * The order of declaration is a part of the protocol: on the wire a message is the index of its type and the values of
 * its fields in that order, without names.
 */
import { createHash } from "node:crypto";
import { assert } from "../common/assert.ts";
import { PeError } from "../common/errors.ts";
import {
  fieldsOf,
  MISSING,
  type Fault,
  type Fields,
  type FieldValues,
  type Flat,
  type TypeDescription,
  type Values,
} from "./fields.ts";

export { bytes, flag, float, integer, list, object, oneOf, optional, text, uint32s } from "./fields.ts";
export type { Field, Fields, TypeDescription } from "./fields.ts";

/** One direction of a link: all messages that one side may say to the other. */
export interface Messages<Declared extends Readonly<Record<string, Fields>> = Readonly<Record<string, Fields>>> {
  readonly declared: Declared;
  readonly byName: ReadonlyMap<string, MessageType>;
  /** In order of declaration: the index is what travels. */
  readonly byIndex: readonly MessageType[];
}

/** A message with its name and checked fields; what each link's union extends. */
export type AnyMessage = { readonly type: string };

/** What one declared message can do. */
export interface MessageType {
  readonly name: string;
  readonly index: number;
  fault(message: object): Fault | undefined;
  /** No less than the bytes that the message takes on the wire. */
  sizeMax(message: object): number;
  /** Checked message -> `[index, field, field, ...]`. */
  pack(message: object): unknown[];
  /** The reverse, of an array of the right length. Leaves what it cannot read as it is: the check refuses it. */
  unpack(wire: readonly unknown[]): object;
  /** Entries of the array on the wire. */
  readonly wireLength: number;
  readonly fields: readonly { readonly name: string; readonly type: TypeDescription }[];
}

/** One member of the union: `{ type: "heartbeat", held: ... }`. */
export type MessageOf<Link, Name extends NamesOf<Link>> =
  Link extends Messages<infer Declared> ? Flat<{ readonly type: Name } & FieldValues<Declared[Name]>> : never;

type NamesOf<Link> = Link extends Messages<infer Declared> ? keyof Declared & string : never;

/** All that may be said on a link, as a union told apart by `type`. */
export type Infer<Link> = { [Name in NamesOf<Link>]: MessageOf<Link, Name> }[NamesOf<Link>];

/** Types of message on one link; one byte on the wire. */
export const MESSAGE_TYPES_MAX = 128;

/** Declares one direction of a link. Names of messages and fields are those of the union. */
export function messages<const Declared extends Readonly<Record<string, Fields>>>(
  declared: Declared,
): Messages<Declared> {
  const byIndex = Object.entries(declared).map(([name, fields], index) => messageType(name, index, fields));
  assert(byIndex.length <= MESSAGE_TYPES_MAX, `a link has at most ${MESSAGE_TYPES_MAX} types of message`);
  return { declared, byIndex, byName: new Map(byIndex.map((type) => [type.name, type])) };
}

function messageType(name: string, index: number, declared: Fields): MessageType {
  assert(!("type" in declared), `message ${name} has a field called type, which is the name of the message`);
  const fields = fieldsOf(declared, 1);
  return {
    name,
    index,
    wireLength: fields.described.length + 1,
    fields: fields.described,
    fault: (message) => fields.fault(message as Values, 1),
    sizeMax: (message) => fields.sizeMax(message as Values),
    pack(message) {
      const wire = fields.pack(message as Values);
      wire[0] = index;
      return wire;
    },
    unpack: (wire) => fields.unpack({ type: name }, wire),
  };
}

/**
 * Refuses whatever is not a message of this link: another type, a field too many or too few, a value out of range.
 *
 * @param doing What stands in the error's text: `Cannot decode message heartbeat.held[0].attempt: expected an integer ...`.
 * @throws {PeError} `PE_PROTOCOL`
 */
export function check<Link extends Messages>(
  link: Link,
  value: unknown,
  doing: "decode" | "encode" = "decode",
): asserts value is Infer<Link> {
  const type = typeOf(link, value, doing);
  const fault = type.fault(value as object);
  if (fault !== undefined) throw refusal(doing, `message ${type.name}${fault.path}`, fault.reason);
}

/** The declaration of a message. @throws {PeError} `PE_PROTOCOL` when the link has none of its type. */
export function typeOf(link: Messages, value: unknown, doing: "decode" | "encode"): MessageType {
  if (typeof value !== "object" || value === null) throw refusal(doing, "message", "expected an object");
  const name: unknown = (value as { type?: unknown }).type;
  const type = typeof name === "string" ? link.byName.get(name) : undefined;
  if (type !== undefined) return type;
  const known = [...link.byName.keys()].join(", ");
  if (name === undefined) throw refusal(doing, "message.type", MISSING);
  throw refusal(doing, "message.type", `expected one of ${known}`);
}

/** `Cannot decode message x.y: reason`. */
export function refusal(doing: "decode" | "encode", what: string, reason: string, cause?: unknown): PeError {
  const options = cause === undefined ? {} : { cause };
  return new PeError("PE_PROTOCOL", `Cannot ${doing} ${what}: ${reason}`, options);
}

/** A link as plain JSON: what documents are printed and hashes made from. */
export type LinkDescription = readonly {
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: TypeDescription }[];
}[];

export function describe(link: Messages): LinkDescription {
  return link.byIndex.map(({ name, fields }) => ({ name, fields }));
}

/** Changes with whatever changes on the wire of these links: 64 hexadecimal digits. */
export function linkHash(...links: readonly Messages[]): string {
  return createHash("sha256")
    .update(JSON.stringify(links.map(describe)))
    .digest("hex");
}
