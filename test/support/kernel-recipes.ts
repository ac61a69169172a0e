/** The series of the conformance vectors, from the recipes that the file itself explains. */

export interface Recipe {
  readonly kind: string;
  readonly n?: number;
  readonly values?: readonly (number | string)[];
  readonly [parameter: string]: unknown;
}

/** Values of a recipe; infinities are spelt out in JSON. */
export function seriesOfRecipe(recipe: Recipe): Float64Array {
  if (recipe.values !== undefined) return Float64Array.from(recipe.values, asNumber);
  const length = recipe.n!;
  if (recipe.kind === "runs") return runs(length, recipe);
  return new Float64Array(length).map(sampler(recipe));
}

function asNumber(value: number | string): number {
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value);
}

/** A function of the index, called once per sample and in sequence. */
function sampler(recipe: Recipe): (value: number, index: number) => number {
  const parameter = (name: string, otherwise = 0): number => (recipe[name] as number | undefined) ?? otherwise;
  const next = mulberry32(parameter("seed"));
  const levels = parameter("levels");
  switch (recipe.kind) {
    case "constant":
      return () => parameter("value");
    case "ramp":
      return (_, index) => parameter("start") + index * parameter("step");
    case "mod":
      return (_, index) => (index * parameter("mul", 1)) % parameter("period");
    case "triangle":
      return (_, index) => Math.min(index % parameter("period"), parameter("period") - (index % parameter("period")));
    case "uniform":
      return () => next() / 4294967296;
    case "uniform_f32":
      return () => Math.fround(next() / 4294967296);
    case "int_uniform":
      return () => parameter("min") + (next() % levels);
    case "offset_uniform":
      return () => parameter("base") + (next() % levels);
    case "ulp":
      return () => 1 + (next() % levels) * 2.220446049250313e-16;
    case "walk": {
      let position = 0;
      return () => (position += (next() % 3) - 1);
    }
    case "logistic": {
      let x = parameter("x0");
      const step = (): number => (x = parameter("r") * x * (1 - x));
      for (let skipped = 0; skipped < parameter("skip"); skipped++) step();
      return () => {
        const value = levels > 0 ? Math.floor(x * levels) : x;
        step();
        return value;
      };
    }
    case "henon": {
      let [x, y] = [0.1, 0.3];
      const step = (): number => {
        const value = x;
        [x, y] = [1 - 1.4 * x * x + y, 0.3 * x];
        return value;
      };
      for (let skipped = 0; skipped < parameter("skip"); skipped++) step();
      return step;
    }
    case "lowpass_logistic": {
      let [x, v] = [parameter("x0"), 0.5];
      const step = (): number => {
        x = 3.99 * x * (1 - x);
        v = 0.75 * v + 0.25 * x;
        return levels > 0 ? Math.floor(v * levels) : v;
      };
      for (let skipped = 0; skipped < parameter("skip"); skipped++) step();
      return step;
    }
    default:
      throw new Error(`no generator for ${recipe.kind}`);
  }
}

function runs(length: number, recipe: Recipe): Float64Array {
  const next = mulberry32(recipe["seed"] as number);
  const series = new Float64Array(length);
  for (let index = 0; index < length;) {
    const value = next() % (recipe["levels"] as number);
    const stop = Math.min(length, index + 1 + (next() % (recipe["maxrun"] as number)));
    series.fill(value, index, stop);
    index = stop;
  }
  return series;
}

/** Tommy Ettinger's mulberry32 (public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
