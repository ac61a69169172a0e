/** Comments of the declarations of messages, read from their source: what documents are printed from, besides the types. */

/** By `message` and by `message.field`; fields of a named object by `object.field`. */
export type Comments = ReadonlyMap<string, string>;

const TOKEN = /\/\*\*([\s\S]*?)\*\/|\/\/[^\n]*|"(?:[^"\\]|\\.)*"|[a-zA-Z_][\w]*|[^\s]/g;

/** The comments of each `export const LINK = messages({ ... })`, and of each `const NAME = object({ ... })`, by `LINK` or `NAME`. */
export function commentsOf(source: string): ReadonlyMap<string, Comments> {
  const found = new Map<string, Comments>();
  for (const { index, 0: head, 1: name } of source.matchAll(/const (\w+) = (?:messages|object)\(\{/g))
    found.set(name!, readTable(source.slice(index + head.length)));
  return found;
}

/** Up to the brace that closes the table. */
function readTable(text: string): Comments {
  const comments = new Map<string, string>();
  const open: string[] = ["{"];
  const path: string[] = [];
  let [comment, word] = ["", ""];
  for (const { 0: token, 1: about } of text.matchAll(TOKEN)) {
    if (about !== undefined) comment = unwrapped(about);
    else if ("{([".includes(token)) {
      open.push(token);
      if (token === "{" && open.every((one) => one === "{")) path.push(word);
    } else if ("})]".includes(token)) {
      open.pop();
      if (open.length === 0) return comments;
      if (token === "}" && open.every((one) => one === "{")) path.pop();
    } else if (/^\w/.test(token)) {
      word = token;
      // A name stands in the table itself or in a message of it, not within a type.
      if (comment !== "" && open.every((one) => one === "{")) comments.set([...path, token].join("."), comment);
      comment = "";
    }
  }
  throw new Error("Cannot read declarations: a table does not end");
}

function unwrapped(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, "").trim())
    .join(" ")
    .trim();
}
