// SPDX-License-Identifier: MIT
/**
 * A point in time that everything nested in one operation shares. Waits take a Deadline, never a
 * number of milliseconds, so that an inner step cannot outlive its caller's patience.
 */
import { LabError } from './errors.ts';

export class Deadline {
  readonly #end: number;
  readonly #total: number;

  private constructor(milliseconds: number) {
    this.#total = milliseconds;
    this.#end = performance.now() + milliseconds;
  }

  static in(milliseconds: number): Deadline {
    return new Deadline(milliseconds);
  }

  /** The earlier of this deadline and one that is `milliseconds` away. */
  atMost(milliseconds: number): Deadline {
    return milliseconds < this.remaining ? Deadline.in(milliseconds) : this;
  }

  /** Milliseconds left, never negative. */
  get remaining(): number {
    return Math.max(0, this.#end - performance.now());
  }

  get expired(): boolean {
    return this.remaining === 0;
  }

  /** Total milliseconds this deadline was made for; for messages. */
  get total(): number {
    return this.#total;
  }

  /**
   * Settles with `promise`, or rejects when the deadline passes first.
   * @param doing what was being waited for, as in "waiting for the SSH banner"
   * @param onExpiry builds the error to throw; by default a LabError `DEADLINE`
   */
  async race<T>(promise: Promise<T>, doing: string, onExpiry?: () => Error): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            onExpiry?.() ??
              new LabError('DEADLINE', `gave up after ${(this.#total / 1000).toFixed(1)} s: ${doing}`),
          ),
        this.remaining,
      );
    });
    try {
      return await Promise.race([promise, expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}
