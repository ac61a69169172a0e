/** What a cluster is asked in the benchmark of schedulers: the same words for this product and for its peers. */

export type Measure =
  /** No-op tasks with 70 bytes of arguments and 60 of result, until the last has finished. */
  | { readonly measure: "map"; readonly tasks: number }
  /** The same with all results in hand. */
  | { readonly measure: "map-gather"; readonly tasks: number }
  /** No-op tasks, and one that needs the results of all. */
  | { readonly measure: "merge"; readonly tasks: number }
  /** A binary tree of so many tasks, leaves included. */
  | { readonly measure: "tree"; readonly tasks: number }
  /** So many rows of so many tasks, each of which needs its three neighbours in the row before; and one that needs the last row. */
  | { readonly measure: "stencil"; readonly side: number }
  /** One task after the other, each from its submission to its result. */
  | { readonly measure: "round-trip"; readonly times: number; readonly volatile?: boolean }
  /** Tasks that compute for `taskMs`, on 2 workers: the share of the time in which the workers compute. */
  | { readonly measure: "efficiency"; readonly tasks: number; readonly taskMs: number };

/** What a peer alone is asked: this product does it without a scheduler in `transfer.ts`. */
export interface TransferMeasure {
  /** An array of so many bytes from one worker to the other, so many times. */
  readonly measure: "transfer";
  readonly bytes: number;
  readonly times: number;
}

export interface Figures {
  readonly seconds?: number;
  /** How many there really were, where the shape of a graph decides. */
  readonly tasks?: number;
  readonly medianMs?: number;
  readonly efficiency?: number;
  /** As the peer itself measures it. */
  readonly ownMs?: number;
  /** Of the process that did it, for one. */
  readonly cpuMs?: number;
}

/** One cluster in one configuration: 2 workers with a thread each, started and warm. */
export interface Contestant {
  readonly name: string;
  /** One at a time. */
  run(measure: Measure): Promise<Figures>;
  close(): Promise<void>;
}
