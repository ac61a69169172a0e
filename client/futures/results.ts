/** Results of the tasks of a batch, as the messages brought them: for each task a message and the place in it. */
import { decodeValue } from "../../protocol/values.ts";
import type { Told } from "../session/link.ts";

export type Finished = Extract<Told, { type: "finished" }>;

export class Results {
  readonly #frames: Finished[] = [];
  readonly #frame: Uint16Array;
  readonly #place: Uint16Array;

  /** @param count Tasks of the batch. */
  constructor(count: number) {
    this.#frame = new Uint16Array(count);
    this.#place = new Uint16Array(count);
  }

  /** Task `place` of the batch is entry `index` of the message. */
  add(place: number, message: Finished, index: number): void {
    if (this.#frames.at(-1) !== message) this.#frames.push(message);
    this.#frame[place] = this.#frames.length - 1;
    this.#place[place] = index;
  }

  /** Bytes of a result that workers hold, as a value; 0 for one that came in the message. */
  valueBytes(place: number): number {
    return this.#frames[this.#frame[place]!]!.sizes?.[this.#place[place]!] ?? 0;
  }

  /** One that came in the message, decoded now. */
  decoded(place: number): unknown {
    const { results, ends } = this.#frames[this.#frame[place]!]!;
    const index = this.#place[place]!;
    return decodeValue(results.subarray(index === 0 ? 0 : ends[index - 1], ends[index]));
  }
}
