// SPDX-License-Identifier: MIT
/** Where the buffers of one test lie: asked of every witness once, and remembered. */
import type { Placement } from '../judge/observation.ts';
import { locate, type Locatable } from './locate.ts';
import type { Witness } from './witness.ts';

export class Whereabouts {
  readonly #witnesses: readonly Witness[];
  readonly #pageBytes: number;
  readonly #known = new WeakMap<Locatable, Placement>();

  constructor(witnesses: readonly Witness[], pageBytes: number) {
    this.#witnesses = witnesses;
    this.#pageBytes = pageBytes;
  }

  /** How many witnesses there are; a verdict on geometry rests on all of them. */
  get witnessCount(): number {
    return this.#witnesses.length;
  }

  /**
   * Where these mappings lie, in the same order. What a mapping held is lost when it is asked for
   * the first time; later the answer is the same, see {@link forget}.
   * @throws LabError when a witness cannot look
   */
  async of(mappings: readonly Locatable[]): Promise<Placement[]> {
    const unknown = mappings.filter((mapping) => !this.#known.has(mapping));
    if (unknown.length > 0) {
      const found = await locate(unknown, this.#witnesses, this.#pageBytes);
      for (const [i, placement] of found.entries()) this.#known.set(unknown[i] as Locatable, placement);
    }
    return mappings.map((mapping) => this.#known.get(mapping) as Placement);
  }

  /** To be asked anew, because something happened that must not have moved it. */
  forget(mapping: Locatable): void {
    this.#known.delete(mapping);
  }
}
