/**
 * Whether the scheduler of this container is well: asks /health, prints the answer, exits with 0 or 1.
 *
 *   node healthy.mjs [ACCESS_FILE] [PORT]
 */
import { readFileSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";

const TIMEOUT_MS = 4000;
const [accessFile = "/run/secrets/access.json", port = "8786"] = process.argv.slice(2);

const { ca } = JSON.parse(readFileSync(accessFile, "utf8"));
// Its certificate is made for the name that others know it by; whose it is, the authority says.
const trust = { ca, checkServerIdentity: () => undefined };
const [request, options] = ca === undefined ? [plainRequest, {}] : [secureRequest, trust];

const asked = request({ host: "127.0.0.1", port, path: "/health", timeout: TIMEOUT_MS, ...options }, (answer) => {
  answer.pipe(process.stdout);
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
});
asked.on("timeout", () => asked.destroy(new Error(`it does not answer within ${TIMEOUT_MS} ms`)));
asked.on("error", ({ message }) => {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
});
asked.end();
