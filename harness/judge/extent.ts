// SPDX-License-Identifier: MIT
/** GEO-01: a mapping starts on a page, covers its length rounded up to whole pages, and ends there. */
import type { Extent, Finding } from './observation.ts';
import { driverFinding, hex, isPositive, labFinding, size } from './wording.ts';

/** The mapping reaches exactly as far as it was asked to, and not one byte further. */
export function judgeExtent(extent: Extent): Finding[] {
  const { label, pageBytes, requestedBytes, virtualAddress, vma } = extent;
  if (![pageBytes, requestedBytes, virtualAddress].every(isPositive) || vma === undefined) {
    const message = `${label}: the observation is incomplete: no line of /proc/self/maps was found for it`;
    return [labFinding('evidence', message)];
  }
  const findings: Finding[] = [];
  if (virtualAddress % pageBytes !== 0) {
    const message = `${label}: mapped at ${hex(virtualAddress)}, not a multiple of ${size(pageBytes)}`;
    findings.push(driverFinding('virtual-alignment', message));
  }
  const expectedEnd = virtualAddress + Math.ceil(requestedBytes / pageBytes) * pageBytes;
  if (vma.start !== virtualAddress || vma.end !== expectedEnd) {
    findings.push(
      driverFinding(
        'mapping-length',
        `${label}: a request for ${size(requestedBytes)} is mapped at ${hex(vma.start)}-${hex(vma.end)} ` +
          `(${size(vma.end - vma.start)}), expected ${hex(virtualAddress)}-${hex(expectedEnd)} ` +
          `(${size(expectedEnd - virtualAddress)})`,
      ),
    );
  }
  return [...findings, ...judgeTail(extent), ...judgeBeyond(extent, expectedEnd)];
}

function judgeTail({ label, pageBytes, requestedBytes, tailReadable }: Extent): Finding[] {
  const tail = requestedBytes % pageBytes;
  if (tail === 0 || tailReadable === true) return [];
  const what = `the last ${size(pageBytes - tail)} of its last page`;
  return tailReadable === undefined
    ? [labFinding('evidence', `${label}: nobody tried to read ${what}`)]
    : [driverFinding('tail-readable', `${label}: ${what} cannot be read`)];
}

function judgeBeyond({ label, beyond }: Extent, end: number): Finding[] {
  const here = `the first byte after it, ${hex(end)},`;
  if (beyond === undefined) {
    return [labFinding('evidence', `${label}: nobody looked at ${here} although it must not be mapped`)];
  }
  // SIGBUS would mean that the mapping goes on there without memory behind it.
  if (beyond.kind === 'other-mapping' || (beyond.kind === 'signal' && beyond.signal === 'SIGSEGV')) return [];
  const seen = beyond.kind === 'signal' ? `raises ${beyond.signal}` : 'can be read';
  return [driverFinding('mapping-end', `${label}: ${here} ${seen}, expected SIGSEGV`)];
}
