/** Straight scales and round ticks. This is the one file that imports d3-scale. */
import { scaleLinear } from "d3-scale";

/** A straight line from values to pixels; `to[0]` may be the greater one. */
export type Scale = (value: number) => number;

export function linearScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const scale = scaleLinear().domain(domain).range(range);
  return (value) => scale(value);
}

/** About `count` values within the domain that are multiples of 1, 2 or 5 times a power of ten, ascending. */
export function roundTicks(domain: readonly [number, number], count: number): number[] {
  const [low, high] = domain[0] <= domain[1] ? domain : [domain[1], domain[0]];
  return scaleLinear().domain([low, high]).ticks(count);
}
