// SPDX-License-Identifier: MIT
/** Observations of where a buffer lies: a good one, and one for every way in which evidence can be bad. */
import type { Placement } from '../../../../harness/judge/observation.ts';

const pageBytes = 4096;

/** Physical addresses of `count` pages that follow one another. */
export function pagesAt(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, page) => start + page * pageBytes);
}

/** A buffer that two witnesses saw at the same place, as the driver had claimed. */
export function placed(label: string, start: number | readonly number[], count = 0): Placement {
  const pages = typeof start === 'number' ? pagesAt(start, count) : start;
  const bytes = pages.length * pageBytes;
  return {
    label,
    pageBytes,
    virtualAddress: 0xffff_8000_0000,
    bytes,
    claimed: { physicalAddress: pages[0] ?? 0, bytes },
    sightings: ['hypervisor', 'kcore'].map((witness) => ({ witness, pages: pages.map((page) => [page]) })),
    readback: [...pages.keys()],
  };
}

export const observed = placed('16 KiB buffer 0 (offset-cookie)', 0x5800_0000, 4);

const where = pagesAt(0x5800_0000, 4);

/** The good observation with what the second witness saw, or something else, replaced. */
function but(kcore: readonly number[][], more: Partial<Placement> = {}): Placement {
  const [hypervisor] = observed.sightings;
  const sightings = [
    ...(hypervisor === undefined ? [] : [hypervisor]),
    { witness: 'kcore', pages: [...kcore] },
  ];
  return { ...observed, sightings, ...more };
}

interface Broken {
  name: string;
  placement: Placement;
  /** Who is blamed for which rule. */
  blame: string[];
  /** Part of what the findings say. */
  says: string;
}

export const broken: Broken[] = [
  {
    name: 'nobody looked',
    placement: { ...observed, sightings: [] },
    blame: ['lab: witnesses'],
    says: '2 independent witnesses are needed, none spoke',
  },
  {
    name: 'one witness under two names is one witness',
    placement: { ...observed, sightings: observed.sightings.map((one) => ({ ...one, witness: 'kcore' })) },
    blame: ['lab: witnesses'],
    says: 'only kcore spoke',
  },
  {
    name: 'a page that one witness did not find',
    placement: but(where.map((page, index) => (index === 2 ? [] : [page]))),
    blame: ['lab: page-not-found'],
    says: 'kcore did not find page 2 (1 of 4)',
  },
  {
    name: 'a buffer that a witness did not find at all',
    placement: but(where.map(() => [])),
    blame: ['lab: page-not-found'],
    says: 'pages 0-3 (4 of 4)',
  },
  {
    name: 'a stale copy beside a page',
    placement: but(where.map((page, index) => (index === 0 ? [0x4a12_3000, page] : [page]))),
    blame: ['lab: page-copied'],
    says: 'first: page 0 at 0x4a12_3000, 0x5800_0000',
  },
  {
    name: 'witnesses that disagree about a page',
    placement: but(where.map((page, index) => [index === 3 ? page + 0x1000 : page])),
    blame: ['lab: witnesses-agree'],
    says: 'first: page 3 at 0x5800_3000 says hypervisor, at 0x5800_4000 says kcore',
  },
  {
    name: 'witnesses that disagree about the order of two pages',
    placement: but([0, 2, 1, 3].map((index) => [where[index] ?? 0])),
    blame: ['lab: witnesses-agree'],
    says: 'pages 1-2 (2 of 4)',
  },
  {
    name: 'a witness that puts two pages into one place',
    placement: but(where.map((page, index) => [index === 3 ? (where[0] ?? 0) : page])),
    blame: ['lab: evidence'],
    says: 'pages 0 and 3 both at 0x5800_0000',
  },
  {
    name: 'a witness that saw a page where no page can be',
    placement: but(where.map((page, index) => [index === 1 ? page + 64 : page])),
    blame: ['lab: evidence'],
    says: 'puts page 1 at 0x5800_1040, where no page of 4096 bytes can start',
  },
  {
    name: 'a witness that accounts for too few pages',
    placement: but(where.slice(0, 3).map((page) => [page])),
    blame: ['lab: evidence'],
    says: 'accounts for 3 pages, the mapping has 4',
  },
  {
    name: 'a length that was not recorded',
    placement: { ...observed, bytes: Number.NaN },
    blame: ['lab: evidence'],
    says: 'the observation is incomplete',
  },
  {
    name: 'a page size that was not recorded',
    placement: { ...observed, pageBytes: 0 },
    blame: ['lab: evidence'],
    says: 'page size 0',
  },
  {
    name: 'pages that were not all read back',
    placement: { ...observed, readback: [0, 1, 2] },
    blame: ['lab: evidence'],
    says: '3 of 4 pages were read back',
  },
  {
    name: 'one frame mapped at every page: the driver, although the witnesses miss pages',
    placement: but(
      where.map((page, index) => (index === 3 ? [page] : [])),
      { readback: [3, 3, 3, 3] },
    ),
    blame: ['driver: one-frame-per-page'],
    says: 'first: page 0 shows what was written to page 3, as if both were the same page frame',
  },
  {
    name: 'a page that does not keep what is written',
    placement: but(
      where.map((page, index) => (index === 1 ? [] : [page])),
      { readback: [0, null, 2, 3] },
    ),
    blame: ['driver: one-frame-per-page'],
    says: 'page 1 shows nothing that was written',
  },
];
