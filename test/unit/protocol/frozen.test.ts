/**
 * The wire and the journal are frozen: whoever changes a message finds this test, and decides what becomes of those who speak the
 * old one.
 */
import { expect, test } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import { journalRecords } from "../../../protocol/journal-records.ts";
import { linkHash } from "../../../protocol/schema.ts";
import { PROTOCOL_VERSION } from "../../../protocol/version.ts";
import { schedulerToWorker, workerToScheduler } from "../../../protocol/worker-link.ts";
import { FORMAT_VERSION } from "../../../scheduler/journal/framing.ts";

/** Hash of all messages by version of the protocol, of all records by version of the journal. Old entries stay. */
const WIRES: Readonly<Record<number, string>> = {
  1: "5aa7e9d7f33e639cdbbab219a08a38cb5b2fa44d752fa35272192a54ec00b013",
};
const JOURNALS: Readonly<Record<number, string>> = {
  1: "388ccbda21f3683699f8e7377f2c724dbc97ec7e05a2e0a00626758750c096bf",
};

test("messages of the wire do not change within a version: raise PROTOCOL_VERSION and add the new hash", () => {
  const hash = linkHash(workerToScheduler, schedulerToWorker, clientToScheduler, schedulerToClient);
  expect(hash, "a message changed: raise PROTOCOL_VERSION in protocol/version.ts, then add its hash here").toBe(
    WIRES[PROTOCOL_VERSION],
  );
});

test("records of the journal do not change within a version: raise FORMAT_VERSION and add the new hash", () => {
  expect(
    linkHash(journalRecords),
    "a record changed: raise FORMAT_VERSION in scheduler/journal/framing.ts, then add its hash here",
  ).toBe(JOURNALS[FORMAT_VERSION]);
});
