/**
 * Ends with status 0 when the cloud says that it takes this machine away; its unit then lets the worker leave.
 *
 *     node spot-notice.mjs ec2|azure [URL]       URL: of the machine's metadata, http://169.254.169.254 left alone
 *
 * Two minutes are left then on EC2, half a minute on Azure.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 * @see https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
 */
import { setTimeout as sleep } from "node:timers/promises";

const [cloud, url = "http://169.254.169.254"] = process.argv.slice(2);
const LOOK_MS = 5_000;
/** An answer of Azure's may take minutes the first time, when it switches the service on. */
const ANSWER_MS = 150_000;
const SESSION_SECONDS = 21_600;

/** Of EC2's metadata service, version 2. */
let session = "";

/** @returns {Promise<string | undefined>} The notice, when there is one. */
async function onEc2() {
  const lasting = { "x-aws-ec2-metadata-token-ttl-seconds": String(SESSION_SECONDS) };
  session ||= await (await ask("/latest/api/token", lasting, "PUT")).text();
  const answer = await ask("/latest/meta-data/spot/instance-action", { "x-aws-ec2-metadata-token": session });
  if (answer.status === 401) session = "";
  return answer.ok ? await answer.text() : undefined;
}

/** @returns {Promise<string | undefined>} The notice, when there is one. */
async function onAzure() {
  const headers = { metadata: "true" };
  const name = await (await ask("/metadata/instance/compute/name?api-version=2021-02-01&format=text", headers)).text();
  const { Events } = await (await ask("/metadata/scheduledevents?api-version=2020-07-01", headers)).json();
  const notice = Events.find(
    (event) => ["Preempt", "Terminate"].includes(event.EventType) && event.Resources.includes(name),
  );
  return notice && JSON.stringify(notice);
}

async function ask(path, headers, method = "GET") {
  return await fetch(url + path, { method, headers, signal: AbortSignal.timeout(ANSWER_MS) });
}

const look = { ec2: onEc2, azure: onAzure }[cloud];
if (look === undefined) {
  process.stderr.write(`Cannot watch for notices of ${cloud ?? "no cloud"}: expected ec2 or azure\n`);
  process.exit(64);
}

let trouble = "";
for (;;) {
  try {
    const notice = await look();
    if (notice !== undefined) {
      process.stdout.write(`this machine is taken away: ${notice}\n`);
      break;
    }
    trouble = "";
  } catch (error) {
    // Said once, however long it lasts: metadata come back.
    const said = String(error.cause?.message ?? error.message);
    if (said !== trouble) process.stderr.write(`Cannot read ${url}: ${said}; trying again\n`);
    trouble = said;
  }
  await sleep(LOOK_MS);
}
