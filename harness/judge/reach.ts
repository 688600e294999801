// SPDX-License-Identifier: MIT
/** GEO-11: whether a device reaches all of a buffer, with its own address bits and over its bus. */
import type { Finding, Placement, Reach } from './observation.ts';
import { resolvePlacement, usualWitnesses } from './placement.ts';
import { driverFinding, hex, labFinding, pageSet } from './wording.ts';

/** Every byte lies in reach. */
export function judgeReach(placement: Placement, reach: Reach, required = usualWitnesses): Finding[] {
  const { label, pageBytes } = placement;
  const { what, start, end } = reach;
  if (!(start >= 0 && start < end && end <= 2 ** 64)) {
    return [labFinding('evidence', `${label}: cannot judge a device with ${what}, ${start} to ${end}`)];
  }
  const { pages, findings } = resolvePlacement(placement, required);
  if (findings !== undefined) return findings;

  const beyond = [...pages.keys()].filter((page) => {
    const at = pages[page] ?? Number.NaN;
    return !(at >= start && at + pageBytes <= end);
  });
  const [first] = beyond;
  if (first === undefined) return [];
  return [
    driverFinding(
      'in-reach',
      `${label}: ${pageSet(beyond, pages.length)} lie beyond ${what}, where the device cannot reach\n` +
        `first: page ${first} at ${hex(pages[first] ?? Number.NaN)}`,
    ),
  ];
}
