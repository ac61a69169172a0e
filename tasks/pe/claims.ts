/**
 * Which file fills which cell. Every cell of a job is claimed by exactly one series, or it is a conflict, or a file that
 * could not be computed would have filled it, or nothing does.
 */
import { PeError } from "../../common/errors.ts";
import { shardBlock } from "../../data/inputs.ts";
import { lostBy, OWNER_CONFLICT, OWNER_NONE } from "../../data/maps.ts";
import type { SeriesProblem } from "./part.ts";
import type { PeManifest } from "./schema.ts";

export interface Claims {
  /** By cell (x * ySize + y): file ordinal, `OWNER_NONE`, `OWNER_CONFLICT`, or lost by a file. */
  readonly owners: Int32Array;
  /** Physical position by cell, NaN where no series tells. */
  readonly xVariable: Float64Array;
  readonly yVariable: Float64Array;
  /** Cells of files, or rows of files, that could not be computed: they have a reason instead of a value. */
  readonly lost: Set<number>;
  readonly problems: SeriesProblem[];
}

export function noClaims({ grid: { xSize, ySize } }: PeManifest): Claims {
  const cells = xSize * ySize;
  return {
    owners: new Int32Array(cells).fill(OWNER_NONE),
    xVariable: new Float64Array(cells).fill(NaN),
    yVariable: new Float64Array(cells).fill(NaN),
    lost: new Set(),
    problems: [],
  };
}

/** A series of file `ordinal` says that it belongs to cell (x, y). Returns the cell, or -1 when the grid has none such. */
export function claim(
  claims: Claims,
  { grid: { xSize, ySize }, source }: PeManifest,
  ordinal: number,
  series: { x: number; y: number; xVariable: number; yVariable: number },
): number {
  const { x, y } = series;
  const file = source.files[ordinal]!.name;
  if (x >= xSize || y >= ySize) {
    const reason = `it holds a series for cell (${x}, ${y}), the grid of the input is ${xSize} x ${ySize}; check the indices of the last shards`;
    claims.problems.push(problemAt("PE_SHARD_LAYOUT", `Cannot place a series of "${file}": ${reason}`, { x, y }));
    return -1;
  }
  const cell = x * ySize + y;
  const owner = claims.owners[cell]!;
  if (owner !== OWNER_NONE) {
    const other = owner === OWNER_CONFLICT ? "other files" : `"${source.files[owner]!.name}"`;
    const reason = `a series of "${file}" and one of ${other} claim it; give each series its own x_index and y_index`;
    claims.problems.push(problemAt("PE_CELL_CONFLICT", `Cannot fill cell (${x}, ${y}): ${reason}`, { x, y }));
  }
  claims.owners[cell] = owner === OWNER_NONE ? ordinal : OWNER_CONFLICT;
  claims.xVariable[cell] = series.xVariable;
  claims.yVariable[cell] = series.yVariable;
  return cell;
}

/** File `ordinal`, or rows of it, could not be computed: what its name says it covers, and nobody else claims, is lost. */
export function lose(claims: Claims, { grid, source, common: { window } }: PeManifest, ordinal: number): void {
  const block = shardBlock(source.files[ordinal]!.name);
  if (block === undefined) return;
  const size = block.size ?? grid.shardSize ?? 1;
  const xStop = Math.min(block.x + size, grid.xSize);
  const yStop = Math.min(block.y + size, grid.ySize);
  for (let x = block.x; x < xStop; x++)
    for (let y: number = block.y; y < yStop; y++) {
      const cell = x * grid.ySize + y;
      if (window !== undefined && !isInside(window, x, y)) continue;
      if (claims.owners[cell] !== OWNER_NONE) continue;
      claims.owners[cell] = lostBy(ordinal);
      claims.lost.add(cell);
    }
}

function isInside({ x: xs, y: ys }: NonNullable<PeManifest["common"]["window"]>, x: number, y: number): boolean {
  return x >= xs.start && x < xs.stop && y >= ys.start && y < ys.stop;
}

function problemAt(
  code: "PE_SHARD_LAYOUT" | "PE_CELL_CONFLICT",
  message: string,
  cell: { x: number; y: number },
): SeriesProblem {
  return { ...new PeError(code, message, { details: cell }).toRecord(), ...cell };
}
