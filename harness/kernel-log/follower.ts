// SPDX-License-Identifier: MIT
/**
 * The kernel log of one boot as it comes in, cut at bookmarks. A test writes a bookmark into the
 * kernel's own log (`/dev/kmsg`), waits until it comes back, and what lies between two bookmarks is what
 * the kernel said during the test: in the kernel's order, whatever the link did to the timing.
 * Knows nothing of the link: somebody feeds it lines.
 */
import type { Deadline } from '../deadline.ts';
import { addToDictionary, parseRecord, type LogLine } from './lines.ts';

/** Start of every bookmark's text, followed by its name. */
export const bookmarkPrefix = 'bufrig: mark ';

/** A piece of the log, and whether it is all there. */
export interface Slice {
  lines: LogLine[];
  /**
   * False when a bookmark is missing, when the kernel overwrote records before they were read, or when
   * the log ended: then the silence of this slice proves nothing.
   */
  complete: boolean;
  /** Why it is not complete, for a person. */
  missing: string[];
}

interface Waiter {
  text: string;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** @throws nothing while feeding: what is wrong with the log is told with each slice */
export class KernelLog {
  readonly #lines: LogLine[] = [];
  /** Index in #lines of the record behind a gap, and how many records the gap swallowed. */
  readonly #gaps: { index: number; records: number }[] = [];
  readonly #waiters = new Set<Waiter>();
  #ended: Error | undefined;

  /** Everything so far. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** One line as /dev/kmsg gave it: a record, or a ` KEY=value` line that belongs to the last one. */
  feed(raw: string): void {
    const last = this.#lines.at(-1);
    const line = parseRecord(raw);
    if (line === undefined) {
      if (raw.startsWith(' ') && last !== undefined) addToDictionary(last, raw);
      return;
    }
    const expected = last?.sequence === undefined ? undefined : last.sequence + 1;
    if (expected !== undefined && line.sequence !== undefined && line.sequence > expected) {
      this.#gaps.push({ index: this.#lines.length, records: line.sequence - expected });
    }
    this.#lines.push(line);
    for (const waiter of this.#waiters) {
      if (line.text !== waiter.text) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Nothing will be fed any more, because of `reason`. Every wait ends with it. */
  end(reason: Error): void {
    this.#ended ??= reason;
    for (const waiter of this.#waiters) waiter.reject(reason);
    this.#waiters.clear();
  }

  /**
   * Resolves when the bookmark of this name is in the log.
   * @throws the reason given to {@link end}, or what `deadline` throws
   */
  async waitFor(name: string, deadline: Deadline): Promise<void> {
    const text = bookmarkPrefix + name;
    if (this.#indexOf(name) !== -1) return;
    if (this.#ended !== undefined) throw this.#ended;
    let waiter: Waiter | undefined;
    const seen = new Promise<void>((resolve, reject) => {
      waiter = { text, resolve, reject };
      this.#waiters.add(waiter);
    });
    try {
      await deadline.race(seen, `waiting for the bookmark "${name}" to come back in the kernel log`);
    } finally {
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  /**
   * What the kernel said after the bookmark `from`, up to the bookmark `to`.
   * @param to to the end of what is known, when it is left out or not there
   */
  slice(from: string, to?: string): Slice {
    const missing: string[] = [];
    const begin = this.#indexOf(from);
    if (begin === -1) missing.push(`the bookmark "${from}" is not in the log`);
    const found = to === undefined ? -1 : this.#indexOf(to);
    if (to !== undefined && found === -1) {
      const why = this.#ended === undefined ? '' : `: ${this.#ended.message}`;
      missing.push(`the bookmark "${to}" is not in the log${why}`);
    }
    if (found !== -1 && found < begin) missing.push(`the bookmark "${to}" comes before "${from}"`);
    const end = found === -1 ? this.#lines.length : found;
    for (const { index, records } of this.#gaps) {
      if (index > begin && index <= end) missing.push(`the kernel overwrote ${records} records unread`);
    }
    return { lines: this.#lines.slice(begin + 1, end), complete: missing.length === 0, missing };
  }

  #indexOf(name: string): number {
    const text = bookmarkPrefix + name;
    return this.#lines.findLastIndex((line) => line.text === text);
  }
}
