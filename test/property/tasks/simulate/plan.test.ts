/**
 * Goal: every grid is covered once, whatever its size and that of its shards.
 * Method: random grids; the tasks' cells are put together and compared with the grid.
 * Replay: fast-check prints seed and path; pass them as the second argument of `fc.assert`.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planSimulation } from "../../../../tasks/simulate/index.ts";
import { cellsOf } from "../../../../tasks/simulate/run.ts";

const size = fc.integer({ min: 1, max: 40 });
/** Without -0, which is the same place on an axis. */
const value = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((drawn) => drawn + 0);
const sweep = fc.record({ first: value, last: value });

describe("planSimulation()", () => {
  it("planSimulation() gives tasks whose cells are the grid, each once, evenly spaced between both ends", async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        size,
        fc.integer({ min: 1, max: 12 }),
        sweep,
        sweep,
        async (xSize, ySize, shardSize, x, y) => {
          const output = join(tmpdir(), "pe-simulate-never-written");
          const job = await planSimulation({
            model: "feedback",
            grid: { xSize, ySize },
            samples: 10,
            shardSize,
            seed: 0,
            x,
            y,
            output,
          });
          const seen = new Map<string, { xVariable: number; yVariable: number }>();
          for (let index = 0; index < job.taskCount; index++) {
            const { block } = job.task(index);
            expect((block.x % shardSize) + (block.y % shardSize)).toBe(0);
            for (const cell of cellsOf(job.simulation, block)) {
              expect(cell.x - block.x).toBeLessThan(shardSize);
              expect(cell.y - block.y).toBeLessThan(shardSize);
              expect(seen.has(`${cell.x},${cell.y}`)).toBe(false);
              seen.set(`${cell.x},${cell.y}`, cell);
            }
          }
          expect(seen.size).toBe(xSize * ySize);
          expect(seen.get("0,0")).toMatchObject({ xVariable: x.first, yVariable: y.first });
          const last = seen.get(`${xSize - 1},${ySize - 1}`)!;
          if (xSize > 1) expect(last.xVariable).toBe(x.last);
          if (ySize > 1) expect(last.yVariable).toBe(y.last);
        },
      ),
      { numRuns: 60 },
    );
  });
});
