import { drawOptions } from "./options.ts";
import { World } from "./world.ts";
const first = Number(process.argv[2] ?? 1);
const count = Number(process.argv[3] ?? 200);
const traced = process.argv[4] === "trace";
let events = 0;
const startMs = performance.now();
const kinds = new Map<string, number[]>();
for (let seed = first; seed < first + count; seed++) {
  for (const isCalm of [false, true]) {
    const world = new World(
      drawOptions(seed, isCalm),
      undefined,
      traced
        ? {
            trace: (who, what) =>
              console.log(
                who,
                JSON.stringify(what, (_, v) =>
                  ArrayBuffer.isView(v) ? [...(v as Uint8Array)].join(",").slice(0, 60) : v,
                ),
              ),
          }
        : {},
    );
    try {
      world.run();
    } catch (error) {
      const name = (error as Error).message.replaceAll(/\d+/g, "N").slice(0, 100) + (isCalm ? " CALM" : "");
      if (!kinds.has(name)) {
        kinds.set(name, []);
        if (kinds.size < 6) console.log(seed, isCalm, (error as Error).stack?.split("\n").slice(0, 9).join("\n"));
      }
      kinds.get(name)!.push(seed);
    }
    events += world.events;
  }
}
const seconds = (performance.now() - startMs) / 1000;
console.log([...kinds].map(([name, seeds]) => `${seeds.length} x ${name}: ${seeds.slice(0, 6)}`).join("\n"));
console.log(events, "events", Math.round((((events / seconds) * 60) / 1e6) * 10) / 10, "M events a minute");
