/** What can go wrong between this program and a store, in words of its own, and the errors that it becomes. */
import { PeError, type ErrorCode } from "../../common/errors.ts";

export type FaultKind =
  /** May be gone at the next try: no connection, an answer cut short, a busy server. */
  | "passing"
  /** The credentials have expired; fresh ones may help. */
  | "expired"
  | "missing"
  | "denied"
  /** The object is not the version that was asked for. */
  | "changed"
  /** A write whose condition does not hold. */
  | "conflict"
  /** Bytes that do not fit their checksum, more than once. */
  | "corrupt"
  /** There are no credentials at all. */
  | "no credentials"
  /** A range that the object does not have. */
  | "out of range"
  /** The store answers, and the answer will not change. */
  | "refused";

/** Never leaves this folder: `persist` makes a `PeError` of it. */
export class StoreFault extends Error {
  override readonly name = "StoreFault";
  readonly kind: FaultKind;
  /** The store's own name for it, such as `SlowDown`. */
  readonly storeCode: string | undefined;
  /** What the store asks to wait. */
  readonly waitMs: number;

  constructor(
    kind: FaultKind,
    reason: string,
    options: { cause?: unknown; storeCode?: string | undefined; waitMs?: number } = {},
  ) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.storeCode = options.storeCode;
    this.waitMs = options.waitMs ?? 0;
  }
}

interface Told {
  readonly code: ErrorCode;
  readonly advice: string;
}

const TOLD: Readonly<Record<FaultKind, Told>> = {
  passing: { code: "PE_STORE_UNAVAILABLE", advice: "" },
  expired: {
    code: "PE_CREDENTIALS",
    advice: "; renew them (a new session token, or `aws sso login`) and run again: what was finished is kept",
  },
  "no credentials": {
    code: "PE_CREDENTIALS",
    advice:
      "; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PE_S3_ANONYMOUS=1 for a public bucket",
  },
  missing: { code: "PE_OBJECT_MISSING", advice: "" },
  denied: { code: "PE_OBJECT_DENIED", advice: "; docs/s3.md lists the permissions that are needed" },
  changed: { code: "PE_OBJECT_CHANGED", advice: "; run the command again to plan anew" },
  conflict: { code: "PE_OBJECT_CONFLICT", advice: "" },
  corrupt: { code: "PE_OBJECT_CORRUPT", advice: "; upload it again" },
  "out of range": { code: "PE_STORE_REFUSED", advice: "" },
  refused: { code: "PE_STORE_REFUSED", advice: "" },
};

/** What was being done, for the text of errors: `Cannot read s3://bucket/key: ...`. */
export interface Deed {
  readonly verb: "list" | "read" | "write" | "remove" | "look at" | "try conditional writes in";
  /** Address of the object or the store. */
  readonly where: string;
}

export function asError(fault: StoreFault, { verb, where }: Deed, tries = 1): PeError {
  const { code, advice } = TOLD[fault.kind];
  const often = tries > 1 ? ` (tried ${tries} times)` : "";
  return new PeError(code, `Cannot ${verb} ${where}: ${fault.message}${often}${advice}`, {
    cause: fault,
    details: { where, tries, ...(fault.storeCode !== undefined && { storeCode: fault.storeCode }) },
  });
}
