/** Virtual time: actions in the order of their times, equal times in the order in which they were asked for. */
export class Clock {
  nowMs = 0;
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actions: (() => void)[] = [];
  #order = 0;

  /** Runs `action` in `delayMs` from now. */
  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + delayMs, action);
  }

  at(timeMs: number, action: () => void): void {
    const [times, orders, actions] = [this.#times, this.#orders, this.#actions];
    const order = this.#order++;
    let place = times.length;
    times.push(timeMs);
    orders.push(order);
    actions.push(action);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (times[parent]! <= timeMs) break;
      times[place] = times[parent]!;
      orders[place] = orders[parent]!;
      actions[place] = actions[parent]!;
      place = parent;
    }
    times[place] = timeMs;
    orders[place] = order;
    actions[place] = action;
  }

  /** Runs the next action. @returns Whether there was one. */
  next(): boolean {
    const [times, orders, actions] = [this.#times, this.#orders, this.#actions];
    if (times.length === 0) return false;
    this.nowMs = times[0]!;
    const action = actions[0]!;
    const time = times.pop()!;
    const order = orders.pop()!;
    const last = actions.pop()!;
    const length = times.length;
    if (length > 0) {
      let place = 0;
      for (;;) {
        let child = 2 * place + 1;
        if (child >= length) break;
        const right = child + 1;
        if (
          right < length &&
          (times[right]! < times[child]! || (times[right] === times[child] && orders[right]! < orders[child]!))
        )
          child = right;
        if (times[child]! > time || (times[child] === time && orders[child]! > order)) break;
        times[place] = times[child]!;
        orders[place] = orders[child]!;
        actions[place] = actions[child]!;
        place = child;
      }
      times[place] = time;
      orders[place] = order;
      actions[place] = last;
    }
    action();
    return true;
  }
}
