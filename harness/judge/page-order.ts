// SPDX-License-Identifier: MIT
/** BND-09, MAP-08, MAP-09: which page of a buffer each page of a mapping shows. */
import type { Finding, PageOrder } from './observation.ts';
import { driverFinding, labFinding, pageSet } from './wording.ts';

/** Stretches that a message names, and pages that it lists one by one. */
const MOST_RUNS = 8;

/** Pages of a mapping that follow one another, as do those that they show and those that they ought to. */
export interface OrderRun {
  /** Page of the mapping, the page that belongs there, and the one that is seen. */
  first: number;
  expected: number;
  /** null: no page of this buffer. */
  seen: number | null;
  count: number;
}

/** Every page of a mapping shows the page of the buffer that it ought to show. */
export function judgePageOrder(order: PageOrder): Finding[] {
  const { label, expected, seen } = order;
  if (expected.length === 0 || seen.length !== expected.length) {
    return [labFinding('evidence', `${label}: ${seen.length} of ${expected.length} pages were read`)];
  }
  const wrong = [...expected.keys()].filter((page) => seen[page] !== expected[page]);
  const [first] = wrong;
  if (first === undefined) return [];
  const shown = seen[first] ?? null;
  const runs = orderRuns(order);
  const lines = [
    `${label}: ${pageSet(wrong, expected.length)} of the mapping show the wrong memory`,
    `first: page ${first} of the mapping shows ` +
      `${shown === null ? 'no page of this buffer' : `page ${shown} of the buffer`}, expected page ${expected[first]}`,
    ...(wrong.length === 1 ? [] : runs.slice(0, MOST_RUNS).map(describe)),
    ...(runs.length > MOST_RUNS ? [`  and ${runs.length - MOST_RUNS} more stretches`] : []),
    ...diagnosis(runs),
  ];
  return [driverFinding('page-order', lines.join('\n'))];
}

/** Cuts a mapping where what is seen, or what ought to be, does not go on with the next page. */
export function orderRuns({ expected, seen }: PageOrder): OrderRun[] {
  const runs: OrderRun[] = [];
  for (const [page, wanted] of expected.entries()) {
    const shown = seen[page] ?? null;
    const run = runs.at(-1);
    const goesOn =
      run !== undefined &&
      wanted === run.expected + run.count &&
      shown === (run.seen === null ? null : run.seen + run.count);
    if (goesOn) run.count += 1;
    else runs.push({ first: page, expected: wanted, seen: shown, count: 1 });
  }
  return runs;
}

function describe({ first, expected, seen, count }: OrderRun): string {
  const pages = (from: number) => (count === 1 ? `${from}` : `${from}-${from + count - 1}`);
  const shown = seen === null ? 'none of the buffer' : pages(seen);
  const right = seen === expected;
  return `  mapping ${pages(first)}: shows ${shown}${right ? '' : `, belongs ${pages(expected)}`}`;
}

/** What a mistake of that shape comes from, where it has a usual cause. */
function diagnosis(runs: readonly OrderRun[]): string[] {
  const wrong = runs.filter(({ seen, expected }) => seen !== expected);
  if (wrong.every(({ seen }) => seen === 0)) {
    return [
      'counting begins anew with page 0 in every piece: so does a driver that computes the page from vm_start,',
      'or from the difference to vm_pgoff, both of which a split moves (mm/vma.c: __split_vma)',
    ];
  }
  if (wrong.every(({ seen }) => seen === null)) {
    return ['none of these pages carries the signature that was written: it is memory of somebody else'];
  }
  return [];
}
