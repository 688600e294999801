// SPDX-License-Identifier: MIT
/** ZER-01, LIF-01, BND-08, BND-09: what a buffer holds, byte by byte and page by page. */
import type { Contents, Finding, PageOrder } from './observation.ts';
import { driverFinding, hex, isPositive, labFinding, pageSet, size } from './wording.ts';

/** Bytes the kernel leaves in memory it poisons; seeing one says whose memory it was (include/linux/poison.h). */
const poisons: ReadonlyMap<number, string> = new Map([
  [0xaa, 'PAGE_POISON: the page was freed and not zeroed when it was allocated again'],
  [0x6b, 'POISON_FREE: a freed slab object'],
]);

/** Every byte has the expected value. */
export function judgeContents(contents: Contents): Finding[] {
  const { label, bytes, compared, expected, mismatches, first, pageBytes } = contents;
  const counted = isPositive(bytes) && isPositive(pageBytes) && Number.isSafeInteger(mismatches);
  if (!counted || compared !== bytes) {
    const message = `${label}: ${compared} of ${bytes} bytes were compared with ${expected}`;
    return [labFinding('evidence', message)];
  }
  if (mismatches === 0 && first === undefined) return [];
  if (mismatches === 0 || first === undefined || first.value === expected) {
    const example = first === undefined ? 'none named' : `${byte(first.value)} named as the first`;
    const message = `${label}: the comparison contradicts itself: ${mismatches} differing bytes, ${example}`;
    return [labFinding('evidence', message)];
  }
  const page = Math.floor(first.offset / pageBytes);
  const meaning = poisons.get(first.value);
  return [
    driverFinding(
      'contents',
      `${label}: ${mismatches} of ${bytes} bytes (${size(bytes)}) are not ${byte(expected)}\n` +
        `first: ${byte(first.value)} at offset ${hex(first.offset)} (page ${page}, byte ${first.offset % pageBytes})` +
        (meaning === undefined ? '' : `\n${byte(first.value)} is ${meaning}`),
    ),
  ];
}

/** Every page of a mapping shows the page of the buffer that it ought to show. */
export function judgePageOrder({ label, expected, seen }: PageOrder): Finding[] {
  if (expected.length === 0 || seen.length !== expected.length) {
    return [labFinding('evidence', `${label}: ${seen.length} of ${expected.length} pages were read`)];
  }
  const wrong = [...expected.keys()].filter((page) => seen[page] !== expected[page]);
  const [first] = wrong;
  if (first === undefined) return [];
  const shown = seen[first] ?? null;
  return [
    driverFinding(
      'page-order',
      `${label}: ${pageSet(wrong, expected.length)} of the mapping show the wrong memory\n` +
        `first: page ${first} of the mapping shows ` +
        `${shown === null ? 'no page of this buffer' : `page ${shown} of the buffer`}, expected page ${expected[first]}`,
    ),
  ];
}

function byte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
