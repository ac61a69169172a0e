/** Accounts on EC2, on the names by which Amazon is asked. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Ec2Account } from "./ec2-account.ts";
import { act } from "./ec2-actions.ts";
import { readForm, Refusal, toXml, word } from "./query.ts";

export const REGION = "eu-central-1";
const [EC2, STS, IAM, ADDRESS] = [`ec2.${REGION}`, `sts.${REGION}`, "iam", "checkip"].map(
  (name) => `${name}.amazonaws.com`,
);
export const EC2_NAMES = [EC2!, STS!, IAM!, "sts.amazonaws.com", ADDRESS!] as const;

/** Where whoever asks is on the internet. */
export const SOURCE = "10.77.0.1";

/** Answers what comes in on those names. @param accounts By their access keys. */
export function ec2Listener(accounts: ReadonlyMap<string, Ec2Account>) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (request.headers.host === ADDRESS) return void response.end(`${SOURCE}\n`);
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { status, xml } = answer(accounts, request, body);
      response.writeHead(status, { "content-type": "text/xml" }).end(xml);
    });
  };
}

function answer(
  accounts: ReadonlyMap<string, Ec2Account>,
  { headers }: IncomingMessage,
  body: string,
): { status: number; xml: string } {
  const form = readForm(body);
  const action = word(form, "Action");
  try {
    const [, key = ""] = /^AWS4-HMAC-SHA256 Credential=(\w+)\//.exec(headers.authorization ?? "") ?? [];
    const account = accounts.get(key);
    if (account === undefined) throw new Refusal("AuthFailure", "AWS was not able to validate the access credentials");
    const told = `<requestId>r</requestId>${toXml(act(account, action, form))}`;
    const name = `${action}Response`;
    return { status: 200, xml: `<${name} xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${told}</${name}>` };
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "InternalError";
    const Message = error instanceof Error ? `${action}: ${error.message}` : String(error);
    const told = toXml({ Errors: { Error: { Code: code, Message } }, RequestID: "r" });
    return { status: code === "InternalError" ? 500 : 400, xml: `<Response>${told}</Response>` };
  }
}
