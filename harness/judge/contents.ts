// SPDX-License-Identifier: MIT
/** ZER-01, LIF-01: what a buffer holds, byte by byte. */
import type { Contents, Finding } from './observation.ts';
import { driverFinding, hex, isPositive, labFinding, size } from './wording.ts';

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

function byte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
