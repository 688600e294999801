// SPDX-License-Identifier: MIT
/** A guest's RAM where only its QEMU has it: found in that process's address space. */
import { readFileSync } from 'node:fs';
import { LabError } from '../../errors.ts';
import type { ExternalMemory, RamRegion } from '../target.ts';

/**
 * proc(5): /proc/pid/mem is read like a file whose offsets are addresses. Reading needs the right to
 * trace the process, which a parent of the same user has (ptrace(2), Yama's mode 1 included).
 * @param file that is mapped as the RAM
 * @param regions of the RAM, by offsets in that file
 * @throws LabError `GUEST_RAM` when the process does not have it mapped in one piece
 */
export function memoryOfProcess(pid: number, file: string, regions: RamRegion[]): ExternalMemory {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  const bytes = regions.reduce((sum, region) => sum + region.bytes, 0);
  const begin = beginOfMapping(maps, file, bytes);
  if (begin === undefined) {
    throw new LabError('GUEST_RAM', `QEMU (process ${pid}) has not mapped ${file} in one piece`);
  }
  return {
    file: `/proc/${pid}/mem`,
    regions: regions.map((region) => ({ ...region, fileOffset: begin + region.fileOffset })),
  };
}

/** The address at which `bytes` bytes of a file are mapped from its beginning; adjoining pieces count as one. */
function beginOfMapping(maps: string, file: string, bytes: number): number | undefined {
  let begin: number | undefined;
  let end = 0;
  for (const line of maps.split('\n')) {
    const parts = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(.*)$/.exec(line);
    if (parts === null || parts[4] !== file) continue;
    const [from, to, offset] = [1, 2, 3].map((place) => Number.parseInt(parts[place] ?? '', 16)) as [
      number,
      number,
      number,
    ];
    if (offset === 0) begin = from;
    else if (begin === undefined || from !== end || from - begin !== offset) begin = undefined;
    end = to;
    if (begin !== undefined && end - begin >= bytes) return begin;
  }
  return undefined;
}
