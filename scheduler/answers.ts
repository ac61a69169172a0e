/** How requests over HTTP are answered: JSON, and nothing that a browser would run or keep. */
import type { ServerResponse } from "node:http";
import type { ErrorCode } from "../common/errors.ts";

const HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'",
} as const;

export function answer(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, { ...HEADERS, "content-length": body.byteLength });
  // Of an answer to HEAD Node sends the headers alone.
  response.end(body);
}

/** Says what was wrong with a request; its body is not read any more. */
export function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  if (!response.req.complete) response.setHeader("connection", "close");
  answer(response, status, { error: { code, message } });
}
