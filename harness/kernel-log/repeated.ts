// SPDX-License-Identifier: MIT
/** What a kernel's log is being filled with. Pure. */
import { titleOf } from './reports.ts';

/**
 * Lines that come again and again, be it with other numbers in them.
 * @param lines texts, in the order in which they were said
 * @param times how often a line has to be there
 * @returns the first one of each kind
 */
export function repeatedLines(lines: readonly string[], times: number): string[] {
  const kinds = new Map<string, { first: string; count: number }>();
  for (const line of lines) {
    const kind = titleOf(line).replaceAll(/0x[\da-f]+|\d+/g, 'N');
    const { first, count } = kinds.get(kind) ?? { first: line, count: 0 };
    kinds.set(kind, { first, count: count + 1 });
  }
  return [...kinds.values()].filter(({ count }) => count >= times).map(({ first }) => first);
}
