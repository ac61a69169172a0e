/** Text of any origin, made to fit a field: what a user's error says must never make a message that cannot be sent. */

const BYTE_ORDER_MARK = "\ufeff";
const HIGH_SURROGATE = /[\ud800-\udbff]$/;

/**
 * The beginning of a text, as a field declared `text(max)` takes it: no more than `max` UTF-16 units, well formed, without a
 * byte order mark in front.
 */
export function fitting(text: string, max: number): string {
  const plain = text.startsWith(BYTE_ORDER_MARK) ? text.replace(/^\ufeff+/, "") : text;
  // In Node since 20, in TypeScript's library since es2024.
  const whole = (plain as string & { toWellFormed(): string }).toWellFormed();
  // Half of a pair is no text.
  return whole.length <= max ? whole : whole.slice(0, max).replace(HIGH_SURROGATE, "");
}
