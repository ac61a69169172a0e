/**
 * The types that a field of a message can have. Each knows what it accepts, how it stands on the wire, and how many
 * bytes it takes there at most; all are closures made once, at declaration.
 *
 * On the wire objects are arrays of their values in declared order, absent values nil, words of `oneOf` their index,
 * columns of numbers a binary of little-endian words.
 */
import { assert } from "../common/assert.ts";

/** Where a value is wrong (`.held[0].attempt`, empty for the value itself) and why. */
export interface Fault {
  readonly path: string;
  readonly reason: string;
}

/** A field of a message as plain JSON. */
export interface FieldDescription {
  readonly name: string;
  readonly type: TypeDescription;
  /** Version of the protocol that it came with; absent: the first. */
  readonly since?: number;
}

/** A type as plain JSON. */
export type TypeDescription =
  | { readonly type: "text" | "bytes" | "uint32s"; readonly max: number }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  | { readonly type: "float" | "flag" }
  | { readonly type: "oneOf"; readonly words: readonly string[] }
  | { readonly type: "list"; readonly item: TypeDescription; readonly max: number }
  | {
      readonly type: "object";
      readonly fields: readonly { readonly name: string; readonly type: TypeDescription }[];
    }
  | { readonly type: "optional"; readonly of: TypeDescription };

export interface Type<Value> {
  readonly description: TypeDescription;
  fault(this: void, value: unknown): Fault | undefined;
  /** No less than the bytes that the value takes on the wire. */
  sizeMax(this: void, value: Value): number;
  /** To the wire, of a value that was checked; absent where the value travels as it is. */
  pack?(this: void, value: Value): unknown;
  /** From the wire. What it cannot read it leaves as it is, and the check that follows refuses it. */
  unpack?(this: void, wire: unknown): unknown;
  /** Of the value; never read. */
  readonly Value?: Value;
}

/** A field that may be absent or undefined; only fields can be. */
export interface Optional<Value> extends Type<Value | undefined> {
  readonly optional: true;
  /** Version of the protocol that it came with; absent: the first. */
  readonly since?: number;
}

export type Fields = Readonly<Record<string, Type<unknown>>>;

/** The value of a field of this type. */
export type Field<T> = T extends Type<infer Value> ? Value : never;

/** The values of fields declared in a table. */
export type FieldValues<Declared> = Flat<
  {
    readonly [Name in keyof Declared as Declared[Name] extends Optional<unknown> ? never : Name]: Field<Declared[Name]>;
  } & {
    readonly [Name in keyof Declared as Declared[Name] extends Optional<unknown> ? Name : never]?: Field<
      Declared[Name]
    >;
  }
>;

export type Values = Record<string, unknown>;

/** An intersection as one object type. */
export type Flat<T> = { [Name in keyof T]: T[Name] } & {};

export const MISSING = "the field is missing";

/** Head of a msgpack string, binary or array at most. */
const HEAD_BYTES = 5;
const NUMBER_BYTES = 9;
/** A UTF-16 unit in UTF-8 at most. */
const UTF8_BYTES = 3;

/**
 * Text of at most `max` UTF-16 units (`string.length`). What UTF-8 and its decoders do not bring over unchanged is
 * refused: lone surrogates, and a byte order mark at its beginning.
 */
export function text(max: number): Type<string> {
  const wrong = { path: "", reason: `expected well-formed text of at most ${max} characters` };
  return {
    description: { type: "text", max: limit(max) },
    fault: (value) => (typeof value === "string" && value.length <= max && isWellFormed(value) ? undefined : wrong),
    sizeMax: (value) => value.length * UTF8_BYTES + HEAD_BYTES,
  };
}

const BYTE_ORDER_MARK = 0xfeff;

function isWellFormed(value: string): boolean {
  // In Node since 20, in TypeScript's library since es2024.
  return value.charCodeAt(0) !== BYTE_ORDER_MARK && (value as string & { isWellFormed(): boolean }).isWellFormed();
}

/** A whole number, `min` to `max` inclusive. */
export function integer(min: number, max: number): Type<number> {
  assert(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max, `no integer from ${min} to ${max}`);
  const wrong = { path: "", reason: `expected an integer from ${min} to ${max}` };
  return {
    description: { type: "integer", min, max },
    fault: (value) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? undefined : wrong,
    sizeMax: () => NUMBER_BYTES,
  };
}

/** Any finite number, in full precision; negative zero arrives as 0. */
export function float(): Type<number> {
  const wrong = { path: "", reason: "expected a finite number" };
  return {
    description: { type: "float" },
    fault: (value) => (Number.isFinite(value) ? undefined : wrong),
    sizeMax: () => NUMBER_BYTES,
  };
}

export function flag(): Type<boolean> {
  const wrong = { path: "", reason: "expected true or false" };
  return {
    description: { type: "flag" },
    fault: (value) => (typeof value === "boolean" ? undefined : wrong),
    sizeMax: () => 1,
  };
}

/** At most `max` bytes; a decoded value owns its memory. */
export function bytes(max: number): Type<Uint8Array> {
  const wrong = { path: "", reason: `expected at most ${max} bytes` };
  return {
    description: { type: "bytes", max: limit(max) },
    fault: (value) => (value instanceof Uint8Array && value.byteLength <= max ? undefined : wrong),
    sizeMax: (value) => value.byteLength + HEAD_BYTES,
    // A copy: a view of some bytes would keep the whole frame in memory.
    unpack: (wire) => (wire instanceof Uint8Array ? new Uint8Array(wire) : wire),
  };
}

/** A column of at most `max` whole numbers from 0 to 2^32 - 1; a decoded one owns its memory. */
export function uint32s(max: number): Type<Uint32Array> {
  const wrong = { path: "", reason: `expected a column of at most ${max} numbers` };
  return {
    description: { type: "uint32s", max: limit(max) },
    fault: (value) => (value instanceof Uint32Array && value.length <= max ? undefined : wrong),
    sizeMax: (value) => value.byteLength + HEAD_BYTES,
    pack: (value) => littleEndian(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)),
    unpack: (wire) =>
      wire instanceof Uint8Array && wire.byteLength % 4 === 0
        ? // Copied: on the wire nothing is aligned.
          new Uint32Array(littleEndian(new Uint8Array(wire)).buffer)
        : wire,
  };
}

const BIG_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 0;

function littleEndian<Words extends Uint8Array>(words: Words): Words {
  return BIG_ENDIAN ? (Uint8Array.from(words, (_, index) => words[index ^ 3]!) as Words) : words;
}

/** At most `max` values of one type, as an array. */
export function list<Item>(item: Type<Item>, max: number): Type<readonly Item[]> {
  assert(!isOptional(item), "an item of a list cannot be optional");
  const wrong = { path: "", reason: `expected a list of at most ${max}` };
  const { pack, unpack, sizeMax } = item;
  return {
    description: { type: "list", item: item.description, max: limit(max) },
    fault(value) {
      if (!Array.isArray(value) || value.length > max) return wrong;
      for (let index = 0; index < value.length; index++) {
        const fault = item.fault(value[index]);
        if (fault !== undefined) return { path: `[${index}]${fault.path}`, reason: fault.reason };
      }
      return undefined;
    },
    sizeMax(values) {
      let sum = HEAD_BYTES;
      for (const value of values) sum += sizeMax(value);
      return sum;
    },
    ...(pack && { pack: (values: readonly Item[]) => values.map((value) => pack(value)) }),
    ...(unpack && { unpack: (wire: unknown) => (Array.isArray(wire) ? wire.map((value) => unpack(value)) : wire) }),
  };
}

/** One of these words. */
export function oneOf<const Words extends readonly string[]>(...words: Words): Type<Words[number]> {
  assert(words.length > 0 && new Set(words).size === words.length, "words of oneOf() must differ");
  const indices = new Map<unknown, number>(words.map((word, index) => [word, index]));
  const wrong = { path: "", reason: `expected one of ${words.join(", ")}` };
  return {
    description: { type: "oneOf", words },
    fault: (value) => (indices.has(value) ? undefined : wrong),
    sizeMax: () => NUMBER_BYTES,
    pack: (word) => indices.get(word),
    // Neither a number nor null is a word: the check refuses both.
    unpack: (wire) => (typeof wire === "number" ? (words[wire] ?? wire) : null),
  };
}

/** A field that may be absent; undefined counts as absent, and a decoded message then lacks the field. */
export function optional<Value>(type: Type<Value>): Optional<Value> {
  assert(!isOptional(type), "an optional field cannot be optional once more");
  const { pack, unpack, sizeMax } = type;
  return {
    optional: true,
    description: { type: "optional", of: type.description },
    fault: (value) => (value === undefined ? undefined : type.fault(value)),
    sizeMax: (value) => (value === undefined ? 1 : sizeMax(value)),
    pack: (value) => (value === undefined ? null : pack === undefined ? value : pack(value)),
    // Nothing at all: the message is of a version that did not have the field yet.
    unpack: (wire) => (wire === null || wire === undefined ? undefined : unpack === undefined ? wire : unpack(wire)),
  };
}

/** A field at the end of a message that came with a later version of the protocol: those of versions before it lack it. */
export function since<Value>(version: number, field: Optional<Value>): Optional<Value> {
  assert(Number.isInteger(version) && version > FIRST_VERSION, `${version} is no later version`);
  return { ...field, since: version };
}

/** Of the protocol. What is not marked came with it. */
export const FIRST_VERSION = 1;

function sinceOf(type: Type<unknown>): number {
  return (type as Partial<Optional<unknown>>).since ?? FIRST_VERSION;
}

/** An object with exactly these fields. */
export function object<const Declared extends Fields>(declared: Declared): Type<FieldValues<Declared>> {
  const fields = fieldsOf(declared, 0);
  const wrong = { path: "", reason: "expected an object" };
  assert(
    fields.described.every((field) => field.since === undefined),
    "what came later is a field of the message itself",
  );
  return {
    description: { type: "object", fields: fields.described },
    fault: (value) => (isPlainObject(value) ? fields.fault(value, 0) : wrong),
    sizeMax: (value) => fields.sizeMax(value),
    pack: (value) => fields.pack(value),
    unpack: (wire) => (Array.isArray(wire) && wire.length === fields.described.length ? fields.unpack({}, wire) : wire),
  };
}

function isPlainObject(value: unknown): value is Values {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isOptional(type: Type<unknown>): boolean {
  return "optional" in type;
}

/** What objects and messages share: fields by name here, by place on the wire, from entry `offset` of the array. */
export interface CompiledFields {
  readonly described: readonly FieldDescription[];
  /** How many of them a version of the protocol has. */
  countAt(version: number): number;
  /** `others`: fields that the value has besides. */
  fault(value: Values, others: number): Fault | undefined;
  sizeMax(value: Values): number;
  pack(value: Values): unknown[];
  unpack(into: Values, wire: readonly unknown[]): Values;
}

export function fieldsOf(declared: Fields, offset: number): CompiledFields {
  const names = Object.keys(declared);
  const types = Object.values(declared);
  const count = names.length;
  for (const name of names) assert(/^[a-z][a-zA-Z0-9]*$/.test(name), `${name} is no name of a field`);
  const required = types.map((type) => !isOptional(type));
  const unpackers = types.map(({ unpack }) => unpack);
  const packers = types.map(({ pack }) => pack);
  const sizes = types.map(({ sizeMax }) => sizeMax);
  const optionals = names.filter((_, index) => isOptional(types[index]!));
  const versions = types.map(sinceOf);
  for (let index = 1; index < count; index++)
    assert(versions[index]! >= versions[index - 1]!, `field ${names[index]!} came before the one that it follows`);
  return {
    described: names.map((name, index) => {
      const version = versions[index]!;
      return { name, type: types[index]!.description, ...(version > FIRST_VERSION && { since: version }) };
    }),
    countAt: (version) => versions.filter((each) => each <= version).length,
    fault(value, others) {
      for (let index = 0; index < count; index++) {
        const name = names[index]!;
        const field = value[name];
        const fault = types[index]!.fault(field);
        if (fault === undefined) continue;
        return { path: `.${name}${fault.path}`, reason: field === undefined ? MISSING : fault.reason };
      }
      return unknownField(value, names, optionals, others);
    },
    sizeMax(value) {
      let sum = HEAD_BYTES + offset * NUMBER_BYTES;
      for (let index = 0; index < count; index++) sum += sizes[index]!(value[names[index]!]);
      return sum;
    },
    pack(value) {
      const wire = new Array<unknown>(count + offset);
      for (let index = 0; index < count; index++) {
        const field = value[names[index]!];
        const pack = packers[index];
        wire[index + offset] = pack === undefined ? field : pack(field);
      }
      return wire;
    },
    unpack(into, wire) {
      for (let index = 0; index < count; index++) {
        const unpack = unpackers[index];
        const field = unpack === undefined ? wire[index + offset] : unpack(wire[index + offset]);
        if (field !== undefined || required[index]!) into[names[index]!] = field;
      }
      return into;
    },
  };
}

/** A field that was not declared, where all that must be there are. */
function unknownField(
  value: Values,
  names: readonly string[],
  optionals: readonly string[],
  others: number,
): Fault | undefined {
  // Counting is enough, and cheap, while nothing is wrong.
  let surplus = -names.length - others;
  for (const name of optionals) if (!Object.hasOwn(value, name)) surplus++;
  for (const name in value) if (name !== undefined) surplus++;
  if (surplus === 0) return undefined;
  const unknown = Object.keys(value).find((name) => !names.includes(name) && !(others === 1 && name === "type"));
  return { path: `.${unknown}`, reason: "the field is unknown" };
}

function limit(max: number): number {
  assert(Number.isSafeInteger(max) && max >= 0, `${max} is no limit`);
  return max;
}
