/** How clouds of Amazon are asked: forms whose names hold dots in, XML out. */

/** `Filter.1.Value.2=x` as `{ Filter: { 1: { Value: { 2: "x" } } } }`. */
export interface Form {
  [name: string]: Form | string | undefined;
}

/** What is written as XML: a list becomes a row of `<item>`. */
export type Answer = string | number | boolean | undefined | readonly Answer[] | { readonly [name: string]: Answer };

/** What Amazon answers to a request that it refuses. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function readForm(body: string): Form {
  const form: Form = {};
  for (const [name, value] of new URLSearchParams(body)) {
    const path = name.split(".");
    let place = form;
    for (const step of path.slice(0, -1)) place = (place[step] ??= {}) as Form;
    place[path.at(-1)!] = value;
  }
  return form;
}

/** A word of a form, or nothing. */
export function word(form: Form | undefined, ...path: readonly string[]): string {
  let place: Form | string | undefined = form;
  for (const step of path) place = typeof place === "object" ? place[step] : undefined;
  return typeof place === "string" ? place : "";
}

/** A numbered list of words. */
export function words(form: Form | undefined, name: string): string[] {
  const list = form?.[name];
  return typeof list === "object" ? Object.values(list).map(String) : [];
}

/** A numbered list of forms. */
export function forms(form: Form | undefined, name: string): Form[] {
  const list = form?.[name];
  return typeof list === "object" ? (Object.values(list) as Form[]) : [];
}

export function toXml(answer: Answer): string {
  if (answer === undefined) return "";
  if (typeof answer !== "object")
    return String(answer).replaceAll(/[<>&]/g, (sign) => ({ "<": "&lt;", ">": "&gt;" })[sign] ?? "&amp;");
  if (Array.isArray(answer)) return answer.map((one: Answer) => `<item>${toXml(one)}</item>`).join("");
  return Object.entries(answer)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${toXml(value)}</${name}>`)
    .join("");
}
