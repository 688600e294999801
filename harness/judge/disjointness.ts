// SPDX-License-Identifier: MIT
/** GEO-07: no two live buffers share a page of physical memory. */
import type { Finding, Placement } from './observation.ts';
import { resolvePlacement, usualWitnesses } from './placement.ts';
import { describeRun, runsOf } from './runs.ts';
import { driverFinding, labFinding, size } from './wording.ts';

interface Owner {
  buffer: number;
  page: number;
}

/** A page of one buffer that is also a page of an earlier one. */
interface Shared extends Owner {
  physicalAddress: number;
}

/** @param placements at least two buffers that were alive at the same time */
export function judgeDisjointness(placements: readonly Placement[], required = usualWitnesses): Finding[] {
  if (placements.length < 2) {
    return [labFinding('evidence', `disjointness needs two buffers, ${placements.length} were observed`)];
  }
  if (new Set(placements.map(({ pageBytes }) => pageBytes)).size > 1) {
    return [labFinding('evidence', 'the buffers were observed with different page sizes')];
  }
  const unclear: Finding[] = [];
  const owners = new Map<number, Owner>();
  const sharedBy = new Map<string, { first: number; second: number; pages: Shared[] }>();

  for (const [buffer, placement] of placements.entries()) {
    const { pages, findings } = resolvePlacement(placement, required);
    if (findings !== undefined) {
      unclear.push(...findings);
      continue;
    }
    for (const [page, physicalAddress] of pages.entries()) {
      const owner = owners.get(physicalAddress);
      if (owner === undefined) {
        owners.set(physicalAddress, { buffer, page });
        continue;
      }
      const key = `${owner.buffer}:${buffer}`;
      const pair = sharedBy.get(key) ?? { first: owner.buffer, second: buffer, pages: [] };
      pair.pages.push({ buffer, page, physicalAddress });
      sharedBy.set(key, pair);
    }
  }
  const overlaps = [...sharedBy.values()].map(({ first, second, pages }) =>
    describeOverlap(placements[first], placements[second], pages, owners),
  );
  return [...unclear, ...overlaps];
}

function describeOverlap(
  first: Placement | undefined,
  second: Placement | undefined,
  shared: readonly Shared[],
  owners: ReadonlyMap<number, Owner>,
): Finding {
  const pageBytes = second?.pageBytes ?? 0;
  const lines = runsOf(
    shared.map(({ physicalAddress }) => physicalAddress),
    pageBytes,
  ).map((run) => {
    const start = shared[run.firstPage];
    const inSecond = { ...run, firstPage: start?.page ?? Number.NaN };
    const inFirst = owners.get(run.physicalAddress)?.page ?? Number.NaN;
    return `  ${describeRun(inSecond, pageBytes)} of the latter = from page ${inFirst} of the former`;
  });
  const more = lines.length > 4 ? [`  and ${lines.length - 4} more stretches`] : [];
  return driverFinding(
    'disjoint',
    [
      `${first?.label} and ${second?.label} share ${size(shared.length * pageBytes)} of physical memory`,
      ...lines.slice(0, 4),
      ...more,
    ].join('\n'),
  );
}
