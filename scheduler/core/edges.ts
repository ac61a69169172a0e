/** Edges of the graph, from a task to those that need it, all jobs together: linked lists in columns, 12 bytes an edge. */
const NONE = -1;
const EDGES_MIN = 64;

export class Edges {
  #next = new Int32Array(EDGES_MIN);
  #job = new Uint32Array(EDGES_MIN);
  #task = new Uint32Array(EDGES_MIN);
  #used = 0;
  /** First of the edges that were given back. */
  #free = NONE;
  #count = 0;

  /** Number of edges in use. */
  get count(): number {
    return this.#count;
  }

  /** Puts an edge in front of a list. @returns The list, now beginning with it. */
  add(list: number, job: number, task: number): number {
    const edge = this.#take();
    this.#next[edge] = list;
    this.#job[edge] = job;
    this.#task[edge] = task;
    this.#count++;
    return edge;
  }

  /** Calls back with each task of a list. The list must not change meanwhile. */
  forEach(list: number, callback: (job: number, task: number) => void): void {
    for (let edge = list; edge !== NONE; edge = this.#next[edge]!) callback(this.#job[edge]!, this.#task[edge]!);
  }

  /** How often a list names a task. */
  countOf(list: number, job: number, task: number): number {
    let count = 0;
    for (let edge = list; edge !== NONE; edge = this.#next[edge]!)
      if (this.#job[edge] === job && this.#task[edge] === task) count++;
    return count;
  }

  /** Gives the edges of a list back. */
  release(list: number): void {
    if (list === NONE) return;
    let last = list;
    for (this.#count--; this.#next[last] !== NONE; last = this.#next[last]!) this.#count--;
    this.#next[last] = this.#free;
    this.#free = list;
  }

  #take(): number {
    const edge = this.#free;
    if (edge !== NONE) {
      this.#free = this.#next[edge]!;
      return edge;
    }
    if (this.#used === this.#next.length) {
      this.#next = doubled(this.#next, new Int32Array(2 * this.#used));
      this.#job = doubled(this.#job, new Uint32Array(2 * this.#used));
      this.#task = doubled(this.#task, new Uint32Array(2 * this.#used));
    }
    return this.#used++;
  }
}

function doubled<Column extends Int32Array | Uint32Array>(old: Column, larger: Column): Column {
  larger.set(old);
  return larger;
}
