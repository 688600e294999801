// SPDX-License-Identifier: MIT
/** GEO-02 and GEO-04: where a buffer starts in physical memory, and whether the driver says the truth about it. */
import type { Finding, Placement } from './observation.ts';
import { resolvePlacement, usualWitnesses } from './placement.ts';
import { describeClaim } from './runs.ts';
import { driverFinding, hex, labFinding, size } from './wording.ts';

/**
 * The first byte lies at a multiple of `alignment` bytes.
 * @param alignment in bytes; need not be a power of two
 */
export function judgeAlignment(
  placement: Placement,
  alignment: number,
  required = usualWitnesses,
): Finding[] {
  const { label } = placement;
  if (!Number.isSafeInteger(alignment) || alignment < 1) {
    return [labFinding('evidence', `${label}: cannot judge an alignment of ${alignment} bytes`)];
  }
  const { pages, findings } = resolvePlacement(placement, required);
  if (findings !== undefined) return findings;

  const start = pages[0] ?? Number.NaN;
  const excess = start % alignment;
  if (excess === 0) return [];
  return [
    driverFinding(
      'aligned',
      `${label}: starts at ${hex(start)}, which is ${size(excess)} past a multiple of ${size(alignment)}\n` +
        describeClaim(placement),
    ),
  ];
}

/**
 * The address the driver reports is that of the memory it maps, and it maps no more than it reports, if it reports a
 * size. Only for a driver whose profile says that it reports an address: one that reports none has nothing to be judged
 * by.
 */
export function judgeClaim(placement: Placement, required = usualWitnesses): Finding[] {
  const { label, claimed, pageBytes, bytes } = placement;
  const { physicalAddress } = claimed;
  if (physicalAddress === undefined) {
    return [labFinding('evidence', `${label}: the driver's claim about the address was not recorded`)];
  }
  const { pages, findings } = resolvePlacement(placement, required);
  if (findings !== undefined) return findings;

  const broken: Finding[] = [];
  if (physicalAddress % pageBytes !== 0) {
    const message = `${label}: the driver claims ${hex(physicalAddress)}, which is not the start of a page`;
    broken.push(driverFinding('page-aligned', `${message} of ${size(pageBytes)}`));
  }
  const seen = pages[0] ?? Number.NaN;
  if (physicalAddress !== seen) {
    broken.push(
      driverFinding(
        'claimed-address',
        `${label}: the driver claims ${hex(physicalAddress)}, its memory lies at ${hex(seen)}, ` +
          distance(physicalAddress, seen, pageBytes),
      ),
    );
  }
  if (claimed.bytes !== undefined && claimed.bytes < bytes) {
    const message = `${label}: ${size(bytes)} are mapped, the driver claims the buffer has ${size(claimed.bytes)}`;
    broken.push(driverFinding('claimed-size', message));
  }
  return broken;
}

function distance(claimed: number, seen: number, pageBytes: number): string {
  const bytes = Math.abs(seen - claimed);
  const pages = bytes / pageBytes;
  const amount = Number.isInteger(pages)
    ? `${pages} page${pages === 1 ? '' : 's'} (${size(bytes)})`
    : size(bytes);
  return `${amount} ${seen > claimed ? 'above' : 'below'}`;
}
