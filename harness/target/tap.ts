// SPDX-License-Identifier: MIT
/** What a process on a target writes, kept until somebody listens. */
export class Tap {
  #early: Buffer[] | undefined = [];
  #earlyBytes = 0;
  readonly #listeners: Array<(chunk: Buffer) => void> = [];
  readonly #keep: number;

  /** @param keep bytes to hold for the first listener; the oldest go first */
  constructor(keep: number) {
    this.#keep = keep;
  }

  listen(listener: (chunk: Buffer) => void): void {
    this.#listeners.push(listener);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const chunk of early) listener(chunk);
  }

  take(chunk: Buffer): void {
    for (const listener of this.#listeners) listener(chunk);
    if (this.#early === undefined) return;
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    while (this.#earlyBytes > this.#keep && this.#early.length > 1)
      this.#earlyBytes -= this.#early.shift()?.length ?? 0;
  }
}
