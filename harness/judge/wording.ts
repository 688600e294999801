// SPDX-License-Identifier: MIT
/**
 * How numbers are written in findings: addresses in grouped hexadecimal, sizes in binary units that
 * lose nothing, sets of pages as ranges. Every judge words its findings with these.
 */
import type { Finding } from './observation.ts';

/** `0x5800_0000`: hexadecimal in groups of four digits. */
export function hex(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) return String(value);
  const digits = value.toString(16);
  return `0x${digits.replace(/\B(?=([0-9a-f]{4})+$)/g, '_')}`;
}

const units: readonly (readonly [name: string, bytes: number])[] = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
];

/** `4 MiB`, `16 MiB + 4 KiB`: exact, so that a page too much is not rounded away. */
export function size(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 0) return `${bytes} bytes`;
  const terms: string[] = [];
  let rest = bytes;
  for (const [name, unit] of units) {
    const whole = Math.floor(rest / unit);
    rest -= whole * unit;
    if (whole > 0) terms.push(`${whole} ${name}`);
  }
  return terms.length === 0 ? '0 B' : terms.join(' + ');
}

/** `page 7`, `pages 0-1023`. */
export function pageRange(first: number, count: number): string {
  return count === 1 ? `page ${first}` : `pages ${first}-${first + count - 1}`;
}

/** `pages 3, 7-9 and 20 (5 of 4096)`: ascending page numbers as ranges, at most `limit` of them spelled out. */
export function pageSet(pages: readonly number[], total: number, limit = 4): string {
  const ranges: { first: number; count: number }[] = [];
  for (const page of pages) {
    const last = ranges.at(-1);
    if (last !== undefined && page === last.first + last.count) last.count += 1;
    else ranges.push({ first: page, count: 1 });
  }
  const words = ranges
    .slice(0, limit)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first}-${first + count - 1}`));
  const rest = ranges.length - words.length;
  if (rest > 0) words.push(`${rest} more range${rest === 1 ? '' : 's'}`);
  const last = words.pop() ?? 'none';
  const list = words.length === 0 ? last : `${words.join(', ')} and ${last}`;
  return `${pages.length === 1 ? 'page' : 'pages'} ${list} (${pages.length} of ${total})`;
}

/** Whether a count of bytes or pages, or an address, can be one at all: missing evidence reads as NaN or undefined. */
export function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** A finding against the driver. */
export function driverFinding(rule: string, message: string): Finding {
  return { rule, blame: 'driver', message };
}

/** A finding against the evidence: it is missing, malformed, or contradicts itself. */
export function labFinding(rule: string, message: string): Finding {
  return { rule, blame: 'lab', message };
}
