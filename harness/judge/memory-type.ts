// SPDX-License-Identifier: MIT
/** CAC-03: with which memory type the CPU sees a buffer, told by its page tables. */
import type { Finding, MemoryTypes } from './observation.ts';
import { driverFinding, hex, labFinding, size } from './wording.ts';

/** Every byte of every mapping is there, and of an accepted type; of one type, where none is named. */
export function judgeMemoryTypes({ label, accepted, mappings }: MemoryTypes): Finding[] {
  if (mappings.length === 0) return [labFinding('evidence', `${label}: no mapping was looked at`)];
  return mappings.flatMap(({ what, bytes, runs }) => {
    const told = runs.reduce((sum, run) => sum + run.bytes, 0);
    if (told !== bytes) {
      const message = `${label}, ${what}: the page tables tell of ${told} of ${bytes} bytes`;
      return [labFinding('evidence', message)];
    }
    const allowed = accepted ?? mappings[0]?.runs.slice(0, 1).map(({ memoryType }) => memoryType) ?? [];
    const wrong = runs.filter(({ memoryType }) => !allowed.includes(memoryType));
    const [first] = wrong;
    if (first === undefined) return [];
    const total = wrong.reduce((sum, run) => sum + run.bytes, 0);
    return [
      driverFinding(
        'memory-type',
        `${label}, ${what}: ${size(total)} of ${size(bytes)} are not ${allowed.join(' or ')}\n` +
          `first: ${first.memoryType} at ${hex(first.physicalAddress)} (${size(first.bytes)})`,
      ),
    ];
  });
}
