// SPDX-License-Identifier: MIT
/**
 * Hands out targets that are ready for a test. Where several can be had at once, the next one is made
 * ready while a test runs, so that the test after it waits for none. What goes wrong while making one is
 * told to whoever would have got it.
 */
import { DriverError, KernelCrash, LabError, messageOf, TargetHang } from '../errors.ts';
import { mayShare, type Occasion } from './isolation.ts';

/** How one is made and given up. */
export interface Making<T> {
  /** Ability: one can be made while another is in use. */
  readonly ahead: boolean;
  /** @param signal aborted when nobody wants it any more: it is then given up, and the promise rejects */
  make(signal: AbortSignal): Promise<T>;
  /** The last thing before it is used: milliseconds. @throws what happened to it since it was made */
  handOver(item: T): Promise<void>;
  /** Says whether it has come through its use well: what this throws is about whoever used it. */
  finish(item: T): Promise<void>;
  /** Gives it up, in whatever state it is. Called once for each that was made. */
  dispose(item: T): Promise<void>;
}

/** The gravest first (harness/report/verdict.ts); anything else is the lab's trouble. */
const GRAVE = [KernelCrash, DriverError, TargetHang];

export class Supply<T> {
  readonly #making: Making<T>;
  readonly #closing = new AbortController();
  /** What a test has or had last. */
  #held: { item: T; occasion: Occasion } | undefined;
  #next: Promise<T> | undefined;
  /** Somebody has had one. */
  #came = false;
  readonly #leaving = new Set<Promise<void>>();
  /** What went wrong when no test could be told. */
  readonly #untold: unknown[] = [];

  constructor(making: Making<T>) {
    this.#making = making;
  }

  /**
   * One for this occasion: the one that was used before, where they may share; the one that stands by;
   * or one that is made now. It stays in use until {@link release} or the next call.
   * @throws what making or handing it over threw; the next call tries anew
   */
  async acquire(occasion: Occasion): Promise<T> {
    if (this.#held !== undefined && mayShare(this.#held.occasion, occasion)) {
      this.#makeAhead(occasion);
      return this.#held.item;
    }
    // No test is left to hear about the last use of what several tests shared.
    await this.#letGo().catch((error: unknown) => this.#untold.push(error));
    const making = this.#next ?? this.#making.make(this.#closing.signal);
    this.#next = undefined;
    const item = await making;
    try {
      await this.#making.handOver(item);
    } catch (error) {
      await this.#dispose(item);
      throw error;
    }
    this.#held = { item, occasion };
    this.#makeAhead(occasion);
    return item;
  }

  /** The test is over; what nobody else may use is finished. @throws what {@link Making.finish} threw */
  async release(): Promise<void> {
    if (this.#held?.occasion.isolation === 'test') await this.#letGo();
  }

  /** The test is over and has broken what it had, as it was meant to: nobody asks how it has come through. */
  async abandon(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) await this.#gone(held.item);
  }

  /** Gives everything up, also what is being made. @throws the gravest of what no test could be told, with the others */
  async close(): Promise<void> {
    await this.#letGo().catch((error: unknown) => this.#untold.push(error));
    this.#closing.abort();
    const next = this.#next;
    this.#next = undefined;
    // Whoever would have been told of its failure does not come any more.
    const item = await next?.catch(() => undefined);
    if (item !== undefined) await this.#dispose(item);
    await Promise.all(this.#leaving);
    const [gravest, ...others] = this.#untold.toSorted((one, other) => lightness(one) - lightness(other));
    if (others.length > 0 && gravest instanceof Error)
      gravest.message += others.map((error) => `\nand also ${messageOf(error)}`).join('');
    if (gravest !== undefined) throw gravest;
  }

  async #letGo(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    try {
      await this.#making.finish(held.item);
    } finally {
      await this.#gone(held.item);
    }
  }

  async #gone(item: T): Promise<void> {
    const gone = this.#dispose(item);
    // Where there is only one, the next cannot be had before this one is gone.
    if (!this.#making.ahead) await gone;
  }

  /** Who comes a second time will come again; a run of one test does not pay for a second target. */
  #makeAhead({ isolation }: Occasion): void {
    const again = this.#came;
    this.#came = true;
    if (!again || isolation === 'worker') return;
    if (!this.#making.ahead || this.#next !== undefined || this.#closing.signal.aborted) return;
    this.#next = this.#making.make(this.#closing.signal);
    this.#next.catch(() => {});
  }

  /** In the background; never rejects. */
  #dispose(item: T): Promise<void> {
    const gone = this.#making
      .dispose(item)
      .catch((cause: unknown) =>
        this.#untold.push(new LabError('CLEAN_UP', `a used target: ${messageOf(cause)}`, { cause })),
      )
      .then(() => void this.#leaving.delete(gone));
    this.#leaving.add(gone);
    return gone;
  }
}

function lightness(error: unknown): number {
  const at = GRAVE.findIndex((kind) => error instanceof kind);
  return at === -1 ? GRAVE.length : at;
}
