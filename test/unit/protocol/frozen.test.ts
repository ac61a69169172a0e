/**
 * The wire and the journal are frozen: whoever changes a message finds this test, and decides what becomes of those who speak the
 * old one.
 */
import { expect, test } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import { journalRecords } from "../../../protocol/journal-records.ts";
import { linkHash } from "../../../protocol/schema.ts";
import { PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from "../../../protocol/version.ts";
import { schedulerToWorker, workerToScheduler } from "../../../protocol/worker-link.ts";
import { JOURNAL_VERSION, JOURNAL_VERSION_MIN } from "../../../scheduler/records.ts";

/** Hash of all messages by version of the protocol, of all records by version of the journal's content. Old entries stay. */
const WIRES: Readonly<Record<number, string>> = {
  1: "5aa7e9d7f33e639cdbbab219a08a38cb5b2fa44d752fa35272192a54ec00b013",
};
const JOURNALS: Readonly<Record<number, string>> = {
  1: "388ccbda21f3683699f8e7377f2c724dbc97ec7e05a2e0a00626758750c096bf",
};

const wire = [workerToScheduler, schedulerToWorker, clientToScheduler, schedulerToClient];

test.each(versions(PROTOCOL_VERSION_MIN, PROTOCOL_VERSION))(
  "messages of the wire are for version %i what they have always been: a change raises PROTOCOL_VERSION and is marked with since()",
  (version) => {
    const advice = "a message changed: mark what is new with since(), raise PROTOCOL_VERSION, then add its hash here";
    expect(linkHash(wire, version), advice).toBe(WIRES[version]);
  },
);

test.each(versions(JOURNAL_VERSION_MIN, JOURNAL_VERSION))(
  "records of the journal are for version %i what they have always been: a change raises JOURNAL_VERSION and is marked with since()",
  (version) => {
    const advice = "a record changed: mark what is new with since(), raise JOURNAL_VERSION, then add its hash here";
    expect(linkHash([journalRecords], version), advice).toBe(JOURNALS[version]);
  },
);

test("nothing is marked with a version that is still to come", () => {
  expect(linkHash(wire)).toBe(linkHash(wire, PROTOCOL_VERSION));
  expect(linkHash([journalRecords])).toBe(linkHash([journalRecords], JOURNAL_VERSION));
});

function versions(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
