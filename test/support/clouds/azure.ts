/** An account on Azure, on the names by which it is asked. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { AzureRefusal, type AzureAccount, type Resource } from "./azure-account.ts";

const [LOGIN, MANAGEMENT] = ["login.microsoftonline.com", "management.azure.com"];
export const AZURE_NAMES = [LOGIN, MANAGEMENT] as const;
const TENANT = "00000000-0000-0000-0000-000000000002";
/** Of whoever may use the account. */
const CLIENT = { id: "client-of-the-tests", secret: "secret-of-the-tests" };
// Of a form that programs look into: three parts, the middle one of them JSON.
const TOKEN = `e30.${Buffer.from(JSON.stringify({ tid: TENANT, oid: CLIENT.id })).toString("base64url")}.none`;

interface Said {
  readonly status: number;
  readonly body?: unknown;
}

/** With which the plays may use an account, and with what they need on Debian. */
export function azureEnvironment({ subscription }: AzureAccount): Readonly<Record<string, string>> {
  return {
    AZURE_SUBSCRIPTION_ID: subscription,
    AZURE_TENANT: TENANT,
    AZURE_CLIENT_ID: CLIENT.id,
    AZURE_SECRET: CLIENT.secret,
    PYTHONPATH: fileURLToPath(new URL("azure-on-debian", import.meta.url)),
  };
}

/** Answers what comes in on those names. */
export function azureListener(account: AzureAccount) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    let text = "";
    request.setEncoding("utf8").on("data", (more: string) => (text += more));
    request.on("end", () => {
      const { status, body } = answer(account, request, text);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body === undefined ? "" : JSON.stringify(body));
    });
  };
}

function answer(account: AzureAccount, { headers, method, url }: IncomingMessage, text: string): Said {
  if (headers.host === LOGIN)
    return method === "POST" ? logIn(new URLSearchParams(text)) : { status: 200, body: WHERE };
  if (headers.authorization === `Bearer ${TOKEN}`) return act(account, method!, url!, text);
  return refused(new AzureRefusal(401, "InvalidAuthenticationToken", "the access token is invalid"));
}

function act(account: AzureAccount, method: string, url: string, text: string): Said {
  try {
    const path = new URL(url, `https://${MANAGEMENT}`).pathname.replaceAll(/\/+/g, "/");
    const known = METHODS[method];
    if (known === undefined) throw notKnown(method, path);
    return known(account, path, text);
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): Said {
  const [status, code] = error instanceof AzureRefusal ? [error.status, error.code] : [500, "InternalServerError"];
  return { status, body: { error: { code, message: String(error) } } };
}

function notKnown(method: string, path: string): AzureRefusal {
  return new AzureRefusal(405, "MethodNotAllowed", `this account knows no ${method} ${path}`);
}

const PLACE = `https://${LOGIN}/${TENANT}`;
/** Where whoever logs in has to go. */
const WHERE = {
  tenant_discovery_endpoint: `${PLACE}/.well-known/openid-configuration`,
  token_endpoint: `${PLACE}/oauth2/token`,
  authorization_endpoint: `${PLACE}/oauth2/authorize`,
  issuer: `https://sts.windows.net/${TENANT}/`,
  metadata: [],
};

function logIn(form: URLSearchParams): Said {
  if (form.get("client_id") !== CLIENT.id || form.get("client_secret") !== CLIENT.secret)
    return { status: 401, body: { error: "invalid_client", error_description: "the secret is wrong" } };
  const token = { access_token: TOKEN, token_type: "Bearer", resource: `https://${MANAGEMENT}/` };
  return { status: 200, body: { ...token, expires_in: "3600", expires_on: "9999999999", not_before: "0" } };
}

type Method = (account: AzureAccount, path: string, text: string) => Said;

const METHODS: Readonly<Record<string, Method>> = {
  GET: (account, path) => ({ status: 200, body: read(account, path) }),
  HEAD: (account, path) => ({ status: account.find(path) === undefined ? 404 : 204 }),
  PUT: (account, path, text) => {
    account.changes++;
    const status = account.find(path) === undefined ? 201 : 200;
    return { status, body: account.put(path, JSON.parse(text) as object) };
  },
  DELETE: (account, path) => {
    account.changes++;
    if (account.find(path) === undefined) return { status: 204 };
    account.remove(path);
    return { status: 200 };
  },
  POST: (account, path, text) => {
    if (path !== "/batch") throw notKnown("POST", path);
    const { requests } = JSON.parse(text) as { requests: { name: string; httpMethod: string; url: string }[] };
    const responses = requests.map(({ name, httpMethod, url }) => {
      const { status, body } = act(account, httpMethod, url, "");
      return { name, httpStatusCode: status, content: body };
    });
    return { status: 200, body: { responses } };
  },
};

/** What is not a thing but tells of things. */
const LISTS: readonly (readonly [path: RegExp, list: (account: AzureAccount, ...found: string[]) => unknown])[] = [
  [/^\/subscriptions\/([^/]+)$/i, (_, subscriptionId) => ({ subscriptionId, state: "Enabled" })],
  [/^\/subscriptions\/[^/]+\/providers\/([^/]+)$/i, (_, namespace) => ({ namespace, registrationState: "Registered" })],
  [/\/locations\/[^/]+\/vmSizes$/i, () => list(SIZES.map((name) => ({ name, numberOfCores: 2 })))],
  [/\/publishers\/Debian\/.+\/versions$/i, () => VERSIONS.map((name) => ({ name, id: name, location: "westeurope" }))],
  [/^\/subscriptions\/[^/]+\/resourceGroups$/i, (account) => list(account.groups())],
  [
    // A part of something else, such as a subnet, is not listed.
    /^(.+\/resourceGroups\/[^/]+)\/resources$/i,
    (account, group) => list(account.all(group).filter(({ type }) => type.split("/").length === 2)),
  ],
  [
    /^(.+\/virtualMachines\/[^/]+)\/instanceView$/i,
    (account, machine) => viewed(account.get(machine)).properties["instanceView"],
  ],
  [
    /^(.+)\/providers\/([^/]+\/[^/]+)$/i,
    (account, within, type) => list(account.all(within, type).map((one) => viewed(one))),
  ],
];
const SIZES = ["Standard_D2s_v5", "Standard_F8s_v2"];
const VERSIONS = ["0.20250101.1", "0.20260101.1"];

function list(value: readonly unknown[]): unknown {
  return { value };
}

/** @throws {AzureRefusal} */
function read(account: AzureAccount, path: string): unknown {
  for (const [known, tell] of LISTS) {
    const found = known.exec(path);
    if (found !== null) return tell(account, ...found.slice(1));
  }
  return viewed(account.get(path));
}

/** A machine tells how it is. */
function viewed(resource: Resource): Resource {
  if (!resource.type.toLowerCase().endsWith("/virtualmachines")) return resource;
  const statuses = [{ code: "PowerState/running", level: "Info", displayStatus: "VM running" }];
  return { ...resource, properties: { ...resource.properties, instanceView: { statuses } } };
}
