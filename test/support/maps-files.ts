/** Maps files compared bit for bit: what a run must not change, whatever happened on its way. */
import { readMaps } from "../../data/maps.ts";

export interface MapsContent {
  readonly grid: string;
  /** By a name such as `m003t001 values`: one entry a cell, floats by their bits. */
  readonly blocks: ReadonlyMap<string, readonly string[]>;
}

/** Everything in a maps file but dates and digests. */
export async function mapsContent(path: string, only?: (name: string) => boolean): Promise<MapsContent> {
  const maps = await readMaps(path);
  try {
    const blocks = new Map<string, readonly string[]>();
    for (const { name, cellsDone, cellsFailed, order, delay, measure } of maps.maps) {
      if (only !== undefined && !only(name)) continue;
      blocks.set(`${name} values`, bits(maps.values(name)));
      blocks.set(`${name} status`, Array.from(maps.status(name) ?? [], String));
      blocks.set(`${name} counts`, [`${cellsDone} done, ${cellsFailed} failed`]);
      blocks.set(`${name} key`, [`${order} ${delay} ${measure}`]);
    }
    const coordinates = maps.coordinates();
    if (coordinates !== undefined) {
      blocks.set("x variables", bits(coordinates.x));
      blocks.set("y variables", bits(coordinates.y));
    }
    for (const [place, { digest, shards }] of maps.sources.entries()) {
      blocks.set(`owners of source ${place}`, Array.from(maps.owners(digest) ?? [], String));
      blocks.set(
        `shards of source ${place}`,
        shards.map(({ name, bytes, sha256 }) => `${name} ${bytes} ${sha256 ?? "not hashed"}`),
      );
    }
    return { grid: `${maps.xSize} x ${maps.ySize}`, blocks };
  } finally {
    maps.close();
  }
}

function bits(values: Float64Array): string[] {
  const words = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  return Array.from(words, (word, cell) => `${word.toString(16)} (${values[cell]})`);
}

/** What differs, in words; empty when nothing does. */
export function differences(found: MapsContent, expected: MapsContent): string[] {
  const told: string[] = found.grid === expected.grid ? [] : [`grid ${found.grid}, not ${expected.grid}`];
  for (const name of new Set([...found.blocks.keys(), ...expected.blocks.keys()])) {
    const [a, b] = [found.blocks.get(name), expected.blocks.get(name)];
    if (a === undefined || b === undefined) told.push(`${name}: ${a === undefined ? "missing" : "not expected"}`);
    else if (a.length !== b.length) told.push(`${name}: ${a.length} entries, not ${b.length}`);
    else
      for (const [cell, entry] of a.entries())
        if (entry !== b[cell]) told.push(`${name}[${cell}]: ${entry}, not ${b[cell]}`);
  }
  return told;
}

/** Differences of two maps files. */
export async function compareMaps(found: string, expected: string): Promise<string[]> {
  return differences(await mapsContent(found), await mapsContent(expected));
}
