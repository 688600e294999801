// SPDX-License-Identifier: MIT
/**
 * A point in time that everything nested in one operation shares. Waits take a Deadline, never a
 * number of milliseconds, so that an inner step cannot outlive its caller's patience.
 */
import { LabError } from './errors.ts';

export class Deadline {
  readonly #end: number;
  readonly #total: number;
  readonly #signal: AbortSignal | undefined;

  private constructor(milliseconds: number, signal: AbortSignal | undefined) {
    this.#total = milliseconds;
    this.#signal = signal;
    this.#end = performance.now() + milliseconds;
  }

  /** @param signal when it is aborted the deadline has passed, too: nobody waits for the result any more */
  static in(milliseconds: number, signal?: AbortSignal): Deadline {
    return new Deadline(milliseconds, signal);
  }

  /** The earlier of this deadline and one that is `milliseconds` away. */
  atMost(milliseconds: number): Deadline {
    return milliseconds < this.remaining ? Deadline.in(milliseconds, this.#signal) : this;
  }

  /** Milliseconds left, never negative. */
  get remaining(): number {
    return this.cancelled ? 0 : Math.max(0, this.#end - performance.now());
  }

  get expired(): boolean {
    return this.remaining === 0;
  }

  /** Whether nobody waits for the result any more: what fails then says nothing about what was tried. */
  get cancelled(): boolean {
    return this.#signal?.aborted === true;
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
    let expire: (() => void) | undefined;
    const expiry = new Promise<never>((_, reject) => {
      expire = () => reject(onExpiry?.() ?? this.#passed(doing));
      timer = setTimeout(expire, this.remaining);
      this.#signal?.addEventListener('abort', expire);
    });
    try {
      return await Promise.race([promise, expiry]);
    } finally {
      clearTimeout(timer);
      if (expire !== undefined) this.#signal?.removeEventListener('abort', expire);
    }
  }

  #passed(doing: string): LabError {
    if (this.cancelled) return new LabError('CANCELLED', `not wanted any more: ${doing}`);
    return new LabError('DEADLINE', `gave up after ${(this.#total / 1000).toFixed(1)} s: ${doing}`);
  }
}
