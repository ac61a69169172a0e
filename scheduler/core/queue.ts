/**
 * Batches with tasks to hand out: for each shape a heap, highest priority first, then the oldest. Where results are values, which take
 * memory, a batch is as old as the oldest that it needs, and of equal age the deepest goes first.
 */
import type { Batch } from "./job.ts";

export class BatchQueue {
  readonly #heaps = new Map<string, Batch[]>();
  #goesBefore = isOlder;

  /** Whether `a` goes before `b`. */
  goesBefore(a: Batch, b: Batch): boolean {
    return this.#goesBefore(a, b);
  }

  /** From now on what was begun is ended before more is begun. Otherwise that would only make for smaller frames. */
  endWhatWasBegun(): void {
    if (this.#goesBefore === endsMore) return;
    this.#goesBefore = endsMore;
    for (const heap of this.#heaps.values())
      for (let place = (heap.length >> 1) - 1; place >= 0; place--) siftDown(heap, place, endsMore);
  }

  /** Adds a batch that has queued tasks; harmless when it is there. */
  add(batch: Batch): void {
    if (batch.isQueued) return;
    batch.isQueued = true;
    let heap = this.#heaps.get(batch.shape);
    if (heap === undefined) this.#heaps.set(batch.shape, (heap = []));
    heap.push(batch);
    siftUp(heap, heap.length - 1, this.#goesBefore);
  }

  get isEmpty(): boolean {
    return this.#heaps.size === 0;
  }

  /** Shapes that have batches. */
  shapes(): Iterable<string> {
    return this.#heaps.keys();
  }

  /** The first batch of a shape. */
  first(shape: string): Batch | undefined {
    return this.#heaps.get(shape)?.[0];
  }

  /** Takes away a batch that has no tasks left, or is wanted no more; harmless when it is not there. */
  remove(batch: Batch): void {
    const heap = this.#heaps.get(batch.shape);
    if (heap === undefined || !batch.isQueued) return;
    batch.isQueued = false;
    const place = heap[0] === batch ? 0 : heap.indexOf(batch);
    const last = heap.pop()!;
    if (heap.length === 0) return void this.#heaps.delete(batch.shape);
    if (last === batch) return;
    heap[place] = last;
    siftUp(heap, place, this.#goesBefore);
    siftDown(heap, place, this.#goesBefore);
  }
}

type Order = (a: Batch, b: Batch) => boolean;

function isOlder(a: Batch, b: Batch): boolean {
  return a.options.priority === b.options.priority ? a.sequence < b.sequence : a.options.priority > b.options.priority;
}

function endsMore(a: Batch, b: Batch): boolean {
  if (a.options.priority !== b.options.priority) return a.options.priority > b.options.priority;
  if (a.age !== b.age) return a.age < b.age;
  return a.depth === b.depth ? a.sequence < b.sequence : a.depth > b.depth;
}

function siftUp(heap: Batch[], place: number, goesBefore: Order): void {
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (!goesBefore(heap[place]!, heap[parent]!)) return;
    swap(heap, place, parent);
    place = parent;
  }
}

function siftDown(heap: Batch[], from: number, goesBefore: Order): void {
  for (let place = from; ;) {
    let least = place;
    for (const child of [2 * place + 1, 2 * place + 2])
      if (child < heap.length && goesBefore(heap[child]!, heap[least]!)) least = child;
    if (least === place) return;
    swap(heap, place, least);
    place = least;
  }
}

function swap(heap: Batch[], a: number, b: number): void {
  const held = heap[a]!;
  heap[a] = heap[b]!;
  heap[b] = held;
}
