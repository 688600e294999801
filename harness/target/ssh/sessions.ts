// SPDX-License-Identifier: MIT
/** Lets only so many commands use a connection at once; the others wait their turn, in order. */
import type { Deadline } from '../../deadline.ts';

export class Sessions {
  #free: number;
  readonly #waiting: Array<() => void> = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Runs `work` when a place is free. @throws LabError `DEADLINE` when none came free in time */
  async use<T>(deadline: Deadline | undefined, work: () => Promise<T>): Promise<T> {
    const turn = this.#enter();
    try {
      await (deadline?.race(turn, 'waiting for a free SSH session') ?? turn);
    } catch (error) {
      // The place will still come to us; pass it on.
      void turn.then(() => this.#leave());
      throw error;
    }
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
