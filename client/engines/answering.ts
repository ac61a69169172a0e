/** Whether a scheduler answers who has an access file. */
import { Client } from "../client.ts";

export interface Asking {
  readonly accessFile: string;
  /** In place of the one in the file. */
  readonly url?: string;
  /** Where a port is shut, nothing may answer at all. */
  readonly patienceMs: number;
}

/** @returns Why it does not; undefined when it does. */
export async function whyNoAnswer({ accessFile, url, patienceMs }: Asking): Promise<unknown> {
  try {
    const client = await Client.connect(url, { accessFile, signal: AbortSignal.timeout(patienceMs) });
    await client.close();
    return undefined;
  } catch (error) {
    return error ?? new Error("no answer");
  }
}
