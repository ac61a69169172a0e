/**
 * The values that a worker holds: in memory that its threads share, or in files on its scratch disk, or both.
 *
 * What is where is decided elsewhere (in the worker's core); this keeps bytes. A value in memory is one SharedArrayBuffer that
 * nobody writes to. A file is written once and kept as long as the value, so that memory which is given back a second time
 * costs nothing; it has the form of the stream in which values travel, so that one is sent from its file as it lies there.
 */
import { assert } from "../../common/assert.ts";
import { valueKey, type ValueName } from "../../protocol/held-values.ts";
import { Trailers } from "../../protocol/transfer/pieces.ts";
import { serveMemory, type ServedValue } from "../../protocol/transfer/served-value.ts";
import { ScratchValues, type ScratchValue, type ScratchValuesOptions } from "./scratch-values.ts";

interface Held {
  readonly bytes: number;
  readonly trailers: Trailers;
  memory?: SharedArrayBuffer;
  file?: ScratchValue;
  /** Being spilled or loaded: one after the other. */
  work?: Promise<void>;
  isDropped: boolean;
}

export interface ValueStoreOptions extends ScratchValuesOptions {
  /** Told of memory that the store has let go of, so that somebody collects it when it is much: the engine would not. */
  readonly onLetGo?: ((bytes: number) => void) | undefined;
}

export class ValueStore {
  readonly #held = new Map<string, Held>();
  readonly #scratch: ScratchValues;
  readonly #onLetGo: (bytes: number) => void;
  #memoryBytes = 0;
  #diskBytes = 0;

  constructor({ onLetGo = () => undefined, ...scratch }: ValueStoreOptions = {}) {
    this.#onLetGo = onLetGo;
    this.#scratch = new ScratchValues(scratch);
  }

  /** Values that are held. */
  get count(): number {
    return this.#held.size;
  }

  /** Of values in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Of values in files, also those that are in memory too. */
  get diskBytes(): number {
    return this.#diskBytes;
  }

  /** Holds a value from now on; one that is held already stays as it is. */
  put(name: ValueName, blob: SharedArrayBuffer): void {
    const key = valueKey(name);
    const known = this.#held.get(key);
    if (known !== undefined) {
      assert(known.bytes === blob.byteLength, () => `two results of task ${name.task} of "${name.id}" differ in size`);
      if (known.memory === undefined) this.#remember(known, blob);
      return;
    }
    const bytes = blob.byteLength;
    const held: Held = { bytes, trailers: new Trailers(bytes), isDropped: false };
    this.#held.set(key, held);
    this.#remember(held, blob);
  }

  has(name: ValueName): boolean {
    return this.#held.has(valueKey(name));
  }

  /** Whether its memory can be given back without writing anything. */
  isOnDisk(name: ValueName): boolean {
    return this.#held.get(valueKey(name))?.file !== undefined;
  }

  /** The value's memory; undefined when it is not in memory, or not here. */
  share(name: ValueName): SharedArrayBuffer | undefined {
    return this.#held.get(valueKey(name))?.memory;
  }

  /**
   * The value for somebody elsewhere, from memory or from its file; undefined when it is not here. It can be sent to the end
   * even when it is dropped meanwhile.
   *
   * @throws {PeError} `PE_VALUE_DAMAGED` when its file is gone.
   */
  open(name: ValueName): ServedValue | undefined | Promise<ServedValue> {
    const held = this.#held.get(valueKey(name));
    if (held?.memory !== undefined) return serveMemory(held.memory, held.trailers);
    return held?.file?.serve();
  }

  /**
   * Gives the memory of a value back; its bytes are in a file then. Harmless when they are, or when it is not here.
   *
   * @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`; the value is then still in memory.
   */
  async spill(name: ValueName): Promise<void> {
    await this.#after(name, async (held) => {
      const { memory } = held;
      if (memory === undefined) return;
      if (held.file === undefined) {
        const file = await this.#scratch.write(memory, held.trailers);
        if (held.isDropped) return file.remove();
        held.file = file;
        this.#diskBytes += held.bytes;
      }
      this.#forgetMemory(held);
    });
  }

  /**
   * Brings a value back into memory. Harmless when it is there, or not here at all.
   *
   * @throws {PeError} `PE_VALUE_DAMAGED` when its file is not what was written, `PE_LIMIT` when there is no memory.
   */
  async load(name: ValueName): Promise<void> {
    await this.#after(name, async (held) => {
      if (held.memory !== undefined || held.file === undefined) return;
      const memory = await held.file.read();
      if (!held.isDropped && held.memory === undefined) this.#remember(held, memory);
    });
  }

  /** Holds a value no more. Whoever has its memory keeps that. */
  drop(name: ValueName): void {
    const key = valueKey(name);
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    held.isDropped = true;
    this.#forgetMemory(held);
    if (held.file === undefined) return;
    held.file.remove();
    this.#diskBytes -= held.bytes;
  }

  /** Holds nothing any more, and removes all files. */
  async close(): Promise<void> {
    const working = [...this.#held.values()].flatMap(({ work }) => (work === undefined ? [] : [work]));
    for (const held of this.#held.values()) held.isDropped = true;
    this.#held.clear();
    this.#memoryBytes = 0;
    this.#diskBytes = 0;
    await Promise.allSettled(working);
    this.#scratch.close();
  }

  /** One thing at a time with each value. */
  async #after(name: ValueName, work: (held: Held) => Promise<void>): Promise<void> {
    const held = this.#held.get(valueKey(name));
    if (held === undefined) return;
    const before = held.work ?? Promise.resolve();
    const mine = before.then(
      async () => await work(held),
      async () => await work(held),
    );
    held.work = mine;
    await mine;
  }

  #remember(held: Held, memory: SharedArrayBuffer): void {
    held.memory = memory;
    this.#memoryBytes += held.bytes;
  }

  #forgetMemory(held: Held): void {
    if (held.memory === undefined) return;
    delete held.memory;
    this.#memoryBytes -= held.bytes;
    this.#onLetGo(held.bytes);
  }
}
