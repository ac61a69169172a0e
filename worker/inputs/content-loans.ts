/** What threads were given for one task and give back with the next: memory to be used again, files that may go. */

interface Loan {
  task: number | undefined;
  readonly takeBack: (() => void)[];
}

export class ContentLoans<Link> {
  readonly #loans = new Map<Link, Loan>();

  /** @param takeBack Called once, when the task is over. */
  lend(link: Link, task: number | undefined, takeBack: () => void): void {
    const loan = this.#loans.get(link) ?? { task, takeBack: [] };
    loan.takeBack.push(takeBack);
    this.#loans.set(link, loan);
  }

  /** A thread that asks for another task has ended the one before. */
  onTask(link: Link, task: number | undefined): void {
    const loan = this.#loans.get(link);
    if (loan !== undefined && loan.task !== task) this.end(link);
  }

  /** The thread is gone, or idle. */
  end(link: Link): void {
    const loan = this.#loans.get(link);
    this.#loans.delete(link);
    for (const takeBack of loan?.takeBack ?? []) takeBack();
  }
}
