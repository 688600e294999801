// SPDX-License-Identifier: MIT
/** GEO-03: the pages of a buffer follow one another in physical memory without a gap. */
import type { Finding, Placement } from './observation.ts';
import { resolvePlacement, usualWitnesses } from './placement.ts';
import { describeClaim, describeRuns, runsOf } from './runs.ts';
import { driverFinding, hex } from './wording.ts';

/** @param required how many witnesses the verdict must rest on, see {@link resolvePlacement} */
export function judgeContiguity(placement: Placement, required = usualWitnesses): Finding[] {
  const { pages, findings } = resolvePlacement(placement, required);
  if (findings !== undefined) return findings;

  const { label, pageBytes, sightings } = placement;
  const runs = runsOf(pages, pageBytes);
  const [before, broken] = runs;
  if (before === undefined || broken === undefined) return [];

  const expected = before.physicalAddress + before.pageCount * pageBytes;
  const witnesses = sightings.map(({ witness }) => witness).join(' and ');
  return [
    driverFinding(
      'contiguous',
      [
        `${label}: physically in ${runs.length} pieces, expected one`,
        ...describeRuns(pages, pageBytes)
          .split('\n')
          .map((line) => `  ${line}`),
        `first break: page ${broken.firstPage} at ${hex(broken.physicalAddress)}, expected ${hex(expected)}`,
        describeClaim(placement),
        `seen by ${witnesses}`,
      ].join('\n'),
    ),
  ];
}
