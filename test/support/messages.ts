/** Arbitrary messages of a link, from its own description. */
import fc from "fast-check";
import { describe, type AnyMessage, type Messages, type TypeDescription } from "../../protocol/schema.ts";

/** Any message of the link; columns, lists and blobs at most `lengthMax` long. */
export function arbitraryMessage(link: Messages, lengthMax = 20): fc.Arbitrary<AnyMessage> {
  const types = describe(link).map(({ name, fields }) => ({ name, fields: fieldsArbitrary(fields, lengthMax) }));
  return fc.oneof(...types.map(({ name, fields }) => fields.map((values) => ({ type: name, ...values }))));
}

type FieldDescriptions = readonly { readonly name: string; readonly type: TypeDescription }[];

function fieldsArbitrary(fields: FieldDescriptions, lengthMax: number): fc.Arbitrary<Record<string, unknown>> {
  const required = fields.filter(({ type }) => type.type !== "optional").map(({ name }) => name);
  const model = Object.fromEntries(fields.map(({ name, type }) => [name, valueArbitrary(type, lengthMax)]));
  return fc.record(model, { requiredKeys: required, noNullPrototype: true });
}

function valueArbitrary(type: TypeDescription, lengthMax: number): fc.Arbitrary<unknown> {
  switch (type.type) {
    case "text":
      return fc
        .string({ unit: "binary", maxLength: Math.min(type.max, lengthMax) })
        .filter((text) => text.length <= type.max && !text.startsWith("\ufeff"));
    case "bytes":
      return fc.uint8Array({ maxLength: Math.min(type.max, lengthMax) });
    case "uint32s":
      return fc.uint32Array({ maxLength: Math.min(type.max, lengthMax) });
    case "integer":
      return fc.oneof(fc.integer({ min: type.min, max: type.max }), fc.constantFrom(type.min, type.max));
    case "float":
      return fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => value || 0);
    case "flag":
      return fc.boolean();
    case "oneOf":
      return fc.constantFrom(...type.words);
    case "list":
      return fc.array(valueArbitrary(type.item, lengthMax), { maxLength: Math.min(type.max, lengthMax) });
    case "object":
      return fieldsArbitrary(type.fields, lengthMax);
    case "optional":
      return valueArbitrary(type.of, lengthMax);
  }
}
