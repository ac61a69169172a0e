/** Pages that are printed from the code in part: `UPDATE_DOCUMENTS=1 npx vitest run test/tidy` prints them anew. */
import { describe, expect, test } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../protocol/client-link.ts";
import { journalRecords } from "../../protocol/journal-records.ts";
import { schedulerToWorker, workerToScheduler } from "../../protocol/worker-link.ts";
import { commentsOf } from "../support/pages/declarations.ts";
import { compared } from "../support/pages/printed.ts";
import { printLink, printStates } from "../support/pages/protocol-page.ts";
import { printFaults, printImpossible, printInvariants, printMutants } from "../support/pages/simulation-page.ts";

const PROTOCOL = "docs/PROTOCOL.md";
const SIMULATION = "docs/simulation-of-the-scheduler.md";
const WORKER_LINK = "protocol/worker-link.ts";
const CLIENT_LINK = "protocol/client-link.ts";

describe("docs", () => {
  test.each([
    [PROTOCOL, "worker to scheduler", () => printLink(workerToScheduler, WORKER_LINK, "workerToScheduler")],
    [PROTOCOL, "scheduler to worker", () => printLink(schedulerToWorker, WORKER_LINK, "schedulerToWorker")],
    [PROTOCOL, "client to scheduler", () => printLink(clientToScheduler, CLIENT_LINK, "clientToScheduler")],
    [PROTOCOL, "scheduler to client", () => printLink(schedulerToClient, CLIENT_LINK, "schedulerToClient")],
    [PROTOCOL, "journal", () => printLink(journalRecords, "protocol/journal-records.ts", "journalRecords")],
    [PROTOCOL, "states of a task", printStates],
    [SIMULATION, "faults", printFaults],
    [SIMULATION, "invariants", printInvariants],
    [SIMULATION, "mutants", printMutants],
    [SIMULATION, "pairs that cannot be", printImpossible],
  ])("%s says of %s what the code says", (page, name, print) => {
    const { says, should } = compared(page, name, print());
    expect(says).toBe(should);
  });
});

describe("commentsOf()", () => {
  test("reads comments of messages and of their fields, not those within types", () => {
    const source = `export const link = messages({
      /** First. */
      hello: { request, /** Of \`x\`: { a }. */ job: u32, list: list(object({ /** Inner. */ a: u32 }), 3) },
      /**
       * Two
       * lines.
       */
      end: {},
    });
    const options = object({ /** Part. */ part: u32 });`;
    const comments = commentsOf(source);
    expect([...comments.get("link")!]).toEqual([
      ["hello", "First."],
      ["hello.job", "Of `x`: { a }."],
      ["end", "Two lines."],
    ]);
    expect([...comments.get("options")!]).toEqual([["part", "Part."]]);
  });
});
