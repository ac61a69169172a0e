/** Sends the pieces of a value, as fast as they are taken: while one leaves, the next is made ready. */
import type { Writable } from "node:stream";
import { pieceCount } from "./pieces.ts";
import { PIECES_UNDER_WAY_MAX, type ServedValue } from "./served-value.ts";

export interface Sending {
  /** Resolves when the next piece may be sent. */
  readonly turn: () => Promise<void>;
  /** Told of each piece that is written. */
  readonly onSent?: (bytes: number) => void;
}

/**
 * Writes the stream of a value. The value is not closed.
 *
 * @throws {Error} when a piece cannot be read, or the other side goes away.
 */
export async function sendPieces(to: Writable, value: ServedValue, { turn, onSent }: Sending): Promise<void> {
  const pieces = new PiecesUnderWay(to);
  try {
    for (let index = 0; index < pieceCount(value.bytes); index++) {
      await pieces.haveRoom();
      await turn();
      const found = value.piece(index);
      pieces.write(found instanceof Promise ? await found : found, onSent);
    }
    await pieces.areGone();
  } finally {
    pieces.forget();
  }
}

class PiecesUnderWay {
  readonly #to: Writable;
  #count = 0;
  #fault: Error | undefined;
  #onChange: () => void = () => undefined;
  readonly #onClose = (): void => this.#fail(new Error("the connection was closed"));

  constructor(to: Writable) {
    this.#to = to;
    to.once("close", this.#onClose);
    if (to.destroyed) this.#onClose();
  }

  async haveRoom(): Promise<void> {
    await this.#atMost(PIECES_UNDER_WAY_MAX - 1);
  }

  async areGone(): Promise<void> {
    await this.#atMost(0);
  }

  write(blocks: readonly Uint8Array[], onSent: Sending["onSent"]): void {
    if (this.#fault !== undefined) throw this.#fault;
    const last = blocks.length - 1;
    const bytes = blocks.reduce((sum, block) => sum + block.byteLength, 0);
    this.#count++;
    // One call of the system for a piece and its trailer.
    this.#to.cork();
    for (const [place, block] of blocks.entries())
      if (place < last) this.#to.write(block);
      else this.#to.write(block, (error) => this.#written(bytes, onSent, error));
    this.#to.uncork();
  }

  forget(): void {
    this.#to.off("close", this.#onClose);
  }

  async #atMost(count: number): Promise<void> {
    while (this.#count > count && this.#fault === undefined)
      await new Promise<void>((changed) => (this.#onChange = changed));
    if (this.#fault !== undefined) throw this.#fault;
  }

  #written(bytes: number, onSent: Sending["onSent"], error: Error | null | undefined): void {
    if (error instanceof Error) return this.#fail(error);
    this.#count--;
    onSent?.(bytes);
    this.#onChange();
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    this.#onChange();
  }
}
