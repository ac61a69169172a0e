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
  1: "7af233b53233d43bea2f1a7b4a488c82aa32d19c3e755dd3f0407c487248b49c",
};
const JOURNALS: Readonly<Record<number, string>> = {
  1: "3fd5025699c4d19ef9e365998a2e1aa58638f58c666d902f7c3ebc47d513ce00",
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
