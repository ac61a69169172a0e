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
 * its fields in that order, without names. What a later version of the protocol adds stands at the end of a message (`since`)
 * or of the link (`later`), so that those of versions before it can be served: they are sent what they know.
 */
import { createHash } from "node:crypto";
import { assert } from "../common/assert.ts";
import { PeError } from "../common/errors.ts";
import {
  fieldsOf,
  FIRST_VERSION,
  MISSING,
  type Fault,
  type FieldDescription,
  type Fields,
  type FieldValues,
  type Flat,
  type Values,
} from "./fields.ts";

export { bytes, flag, float, integer, list, object, oneOf, optional, since, text, uint32s } from "./fields.ts";
export type { Field, FieldDescription, Fields, TypeDescription } from "./fields.ts";

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
  /** Version of the protocol that it came with. */
  readonly since: number;
  fault(message: object): Fault | undefined;
  /** No less than the bytes that the message takes on the wire. */
  sizeMax(message: object): number;
  /** Checked message -> `[index, field, field, ...]`, as far as the version knows it; without one, whole. */
  pack(message: object, version?: number): unknown[];
  /** The reverse, of an array of one of its lengths. Leaves what it cannot read as it is: the check refuses it. */
  unpack(wire: readonly unknown[]): object;
  /** Why an array of so many entries is no such message of any version; undefined when it may be one. */
  lengthFault(entries: number): string | undefined;
  readonly fields: readonly FieldDescription[];
}

/** One member of the union: `{ type: "heartbeat", held: ... }`. */
export type MessageOf<Link, Name extends NamesOf<Link>> =
  Link extends Messages<infer Declared> ? Flat<{ readonly type: Name } & FieldValues<Declared[Name]>> : never;

type NamesOf<Link> = Link extends Messages<infer Declared> ? keyof Declared & string : never;

/** All that may be said on a link, as a union told apart by `type`. */
export type Infer<Link> = { [Name in NamesOf<Link>]: MessageOf<Link, Name> }[NamesOf<Link>];

/** Types of message on one link; one byte on the wire. */
export const MESSAGE_TYPES_MAX = 128;

/**
 * Declares one direction of a link. Names of messages and fields are those of the union.
 *
 * @param later Versions of the protocol that messages came with which were not in the first.
 */
export function messages<const Declared extends Readonly<Record<string, Fields>>>(
  declared: Declared,
  later: { readonly [Name in keyof Declared]?: number } = {},
): Messages<Declared> {
  const byIndex = Object.entries(declared).map(([name, fields], index) =>
    messageType(name, index, fields, later[name] ?? FIRST_VERSION),
  );
  assert(byIndex.length <= MESSAGE_TYPES_MAX, `a link has at most ${MESSAGE_TYPES_MAX} types of message`);
  for (const [index, { name, since }] of byIndex.slice(1).entries())
    assert(since >= byIndex[index]!.since, `message ${name} came before the one that it follows`);
  return { declared, byIndex, byName: new Map(byIndex.map((type) => [type.name, type])) };
}

/** Of a message that says which version its sender speaks: what a newer one adds behind it is nothing to whoever refuses it. */
const INTRODUCTION = "protocol";

function messageType(name: string, index: number, declared: Fields, since: number): MessageType {
  assert(!("type" in declared), `message ${name} has a field called type, which is the name of the message`);
  const fields = fieldsOf(declared, 1);
  const wholeLength = fields.described.length + 1;
  const versions = [since, ...fields.described.flatMap((field) => field.since ?? [])];
  const lengths = new Set(versions.map((version) => fields.countAt(version) + 1));
  const isIntroduction = fields.described[0]?.name === INTRODUCTION;
  return {
    name,
    index,
    since,
    fields: fields.described,
    lengthFault(entries) {
      if (lengths.has(entries) || (isIntroduction && entries > wholeLength)) return undefined;
      return `expected ${wholeLength - 1} fields, found ${entries - 1}`;
    },
    fault: (message) => fields.fault(message as Values, 1),
    sizeMax: (message) => fields.sizeMax(message as Values),
    pack(message, version) {
      const wire = fields.pack(message as Values);
      wire[0] = index;
      if (version !== undefined && lengths.size > 1) wire.length = fields.countAt(version) + 1;
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
  /** Version of the protocol that it came with; absent: the first. */
  readonly since?: number;
  readonly fields: readonly FieldDescription[];
}[];

/** @param version As those of this version of the protocol know it; without one, whole. */
export function describe(link: Messages, version = Infinity): LinkDescription {
  return link.byIndex
    .filter(({ since }) => since <= version)
    .map(({ name, since, fields }) => ({
      name,
      ...(since > FIRST_VERSION && { since }),
      fields: fields.filter((field) => (field.since ?? FIRST_VERSION) <= version),
    }));
}

/** Changes with whatever changes on the wire of these links, for a version of the protocol: 64 hexadecimal digits. */
export function linkHash(links: readonly Messages[], version?: number): string {
  return createHash("sha256")
    .update(JSON.stringify(links.map((link) => describe(link, version))))
    .digest("hex");
}
