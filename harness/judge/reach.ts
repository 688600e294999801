// SPDX-License-Identifier: MIT
/** GEO-11: whether a device that drives so many address bits reaches all of a buffer. */
import type { Finding, Placement } from './observation.ts';
import { resolvePlacement, usualWitnesses } from './placement.ts';
import { driverFinding, hex, labFinding, pageSet } from './wording.ts';

/**
 * Every byte lies below 2^bits.
 * @param bits that the device drives, 1 to 64
 */
export function judgeReach(placement: Placement, bits: number, required = usualWitnesses): Finding[] {
  const { label, pageBytes } = placement;
  if (!Number.isSafeInteger(bits) || bits < 1 || bits > 64) {
    return [labFinding('evidence', `${label}: cannot judge a device that drives ${bits} address bits`)];
  }
  const { pages, findings } = resolvePlacement(placement, required);
  if (findings !== undefined) return findings;

  const beyond = [...pages.keys()].filter((page) => (pages[page] ?? Number.NaN) + pageBytes > 2 ** bits);
  const [first] = beyond;
  if (first === undefined) return [];
  return [
    driverFinding(
      'in-reach',
      `${label}: ${pageSet(beyond, pages.length)} lie beyond ${bits} address bits, where the device cannot reach\n` +
        `first: page ${first} at ${hex(pages[first] ?? Number.NaN)}`,
    ),
  ];
}
