// Quantisation by rank: any finite samples, at most 65,536 at a time, become their rank among them as a 16-bit code.
import { BUCKET_ENDS, LEVELS } from "./layout";
import { code, range } from "./quantise";

/** Comparisons a sample, on average; with more, ranking takes longer than comparing float64s at every delay. */
const COMPARISONS_MAX: u64 = 16;

// @ts-ignore: decorator
@inline
function bucketOf(codes: usize, index: usize): usize {
  return BUCKET_ENDS + (<usize>(<i32>load<i16>(codes + (index << 1)) + 32768) << 2);
}

/**
 * Ranks of `count` <= 65,536 samples as i16, equal samples alike; false when they crowd in few of the evenly spaced
 * buckets. A sample's rank is the number of samples in lower buckets and of smaller ones in its own.
 */
export function quantiseRank(series: usize, codes: usize, count: i32): bool {
  const buckets = 2 << (31 - clz(min(max(count - 1, 1), 65535)));
  const scale = <f64>(buckets - 1) / range();
  if (!(scale < 1e300) || scale < 1e-300) return false;
  code(series, codes, count, scale, 32768);
  const end = <usize>count;
  memory.fill(BUCKET_ENDS, 0, <usize>buckets << 2);
  for (let index: usize = 0; index < end; index++) {
    const bucket = bucketOf(codes, index);
    store<u32>(bucket, load<u32>(bucket) + 1);
  }
  let start: u32 = 0;
  let comparisons: u64 = 0;
  for (let bucket = BUCKET_ENDS; bucket < BUCKET_ENDS + (<usize>buckets << 2); bucket += 4) {
    const inside = load<u32>(bucket);
    comparisons += <u64>inside * inside;
    store<u32>(bucket, start);
    start += inside;
  }
  if (comparisons > COMPARISONS_MAX * <u64>count) return false;
  // Each bucket's start moves to its end as its samples are placed, so that it begins where the one before it ends.
  for (let index: usize = 0; index < end; index++) {
    const bucket = bucketOf(codes, index);
    const place = load<u32>(bucket);
    store<u32>(bucket, place + 1);
    store<f64>(LEVELS + (<usize>place << 3), load<f64>(series + (index << 3)));
  }
  store<u32>(BUCKET_ENDS - 4, 0);
  for (let index: usize = 0; index < end; index++) {
    const bucket = bucketOf(codes, index);
    let rank = load<u32>(bucket - 4);
    const last = load<u32>(bucket) - 1;
    if (rank < last) {
      const sample = load<f64>(series + (index << 3));
      const first = rank;
      for (let place = first; place <= last; place++)
        rank += <u32>(load<f64>(LEVELS + (<usize>place << 3)) < sample);
    }
    store<i16>(codes + (index << 1), <i16>(<i32>rank - 32768));
  }
  return true;
}
