/** What a job of maps computes, in a few words. */
import { formatList, formatRanges } from "../../common/ranges.ts";
import type { PeCommon } from "./schema.ts";

export function describePe({ root, orders, delays, measures, window }: PeCommon): Readonly<Record<string, string>> {
  return {
    input: root,
    orders: formatList(orders),
    delays: formatList(delays),
    maps: `${orders.length * delays.length * measures.length}: ${measures.join(", ")}`,
    ...(window !== undefined && { cells: `x ${formatRanges([window.x])}, y ${formatRanges([window.y])}` }),
  };
}
