// SPDX-License-Identifier: MIT
/** The judges of where buffers lie, on saved observations: for every rule one that breaks it. */
import { expect, test } from '@playwright/test';
import type { Agent } from '../../harness/agent/client.ts';
import type { AgentMapping } from '../../harness/agent/memory.ts';
import { described } from '../../harness/agent/message.ts';
import {
  describeRuns,
  drawLayout,
  hex,
  judgeAlignment,
  judgeClaim,
  judgeContiguity,
  judgeDisjointness,
  judgePlacement,
  resolvePlacement,
  size,
} from '../../harness/judge/judges.ts';
import type { Finding, Placement } from '../../harness/judge/observation.ts';
import { DriverBuffer, MappedBuffer } from '../../harness/profile/buffer.ts';
import type { AllocatedBuffer } from '../../harness/profile/profile.ts';
import type { Whereabouts } from '../../harness/witness/whereabouts.ts';
import { broken, observed, pagesAt, placed } from './data/judge/placements.ts';

/** Who is blamed for which rule. */
const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

/** What eight pages claim that are mapped from byte `at` of such a buffer on. */
function claimOf(allocated: Partial<AllocatedBuffer>, at: number): Placement['claimed'] {
  const [agent, whereabouts] = [described<Agent>({}), described<Whereabouts>({})];
  const buffer = new DriverBuffer(agent, 'x', described<AllocatedBuffer>(allocated), whereabouts);
  return new MappedBuffer(buffer, described<AgentMapping>({ bytes: 32768 }), at).claimed;
}

test.describe('where a buffer lies', () => {
  test('two witnesses that agree are believed', () => {
    expect(resolvePlacement(observed)).toEqual({ pages: pagesAt(0x5800_0000, 4) });
    expect(judgePlacement(observed)).toEqual([]);
  });

  for (const { name, placement, blame, says } of broken) {
    test(name, () => {
      const findings = judgePlacement(placement);
      expect(blamed(findings)).toEqual(blame);
      expect(findings.map(({ message }) => message).join('\n')).toContain(says);
      // No judgement about geometry may be better than its evidence.
      for (const judged of [
        judgeContiguity(placement),
        judgeAlignment(placement, 8),
        judgeClaim(placement),
        judgeDisjointness([placement, placed('another', 0x6000_0000, 1)]),
      ]) {
        expect(blamed(judged)).toEqual(blame);
      }
    });
  }

  test('one witness is enough only where the target has no second', () => {
    const single: Placement = { ...observed, sightings: observed.sightings.slice(0, 1) };
    expect(blamed(judgeContiguity(single))).toEqual(['lab: witnesses']);
    expect(judgeContiguity(single, 1)).toEqual([]);
    expect(blamed(judgeContiguity({ ...observed, sightings: [] }, 0))).toEqual(['lab: witnesses']);
  });
});

test.describe('physical contiguity', () => {
  test('a buffer in one piece', () => {
    expect(judgeContiguity(observed)).toEqual([]);
    expect(judgeContiguity(placed('one page', 0x5800_0000, 1))).toEqual([]);
  });

  test('a buffer in two pieces: runs, first break, claim', () => {
    const pages = [...pagesAt(0x5800_0000, 1024), ...pagesAt(0x4a00_0000, 3072)];
    const [finding, ...more] = judgeContiguity(placed('16 MiB buffer 3 (fd-per-buffer)', pages));
    expect(more).toEqual([]);
    expect(finding).toEqual({
      rule: 'contiguous',
      blame: 'driver',
      message: [
        '16 MiB buffer 3 (fd-per-buffer): physically in 2 pieces, expected one',
        '  pages 0-1023 at 0x5800_0000 (4 MiB)',
        '  pages 1024-4095 at 0x4a00_0000 (12 MiB)',
        'first break: page 1024 at 0x4a00_0000, expected 0x5840_0000',
        'the driver had claimed 16 MiB at 0x5800_0000',
        'seen by hypervisor and kcore',
      ].join('\n'),
    });
  });

  test('two pages swapped', () => {
    const pages = [0x5800_0000, 0x5800_2000, 0x5800_1000, 0x5800_3000];
    const [finding] = judgeContiguity(placed('4 pages', pages));
    expect(finding?.message).toContain('first break: page 1 at 0x5800_2000, expected 0x5800_1000');
  });

  test('a hole of one page', () => {
    const pages = [...pagesAt(0x5800_0000, 2), ...pagesAt(0x5800_3000, 2)];
    const [finding] = judgeContiguity(placed('4 pages', pages));
    expect(finding?.message).toContain('first break: page 2 at 0x5800_3000, expected 0x5800_2000');
  });

  test('pages that lie backwards', () => {
    expect(blamed(judgeContiguity(placed('backwards', pagesAt(0x5800_0000, 4).toReversed())))).toEqual([
      'driver: contiguous',
    ]);
  });

  test('a break at the very last page', () => {
    const pages = [...pagesAt(0x5800_0000, 4095), 0x4000_0000];
    expect(judgeContiguity(placed('16 MiB', pages))[0]?.message).toContain('first break: page 4095 at');
  });

  test('thousands of pieces are counted, not listed', () => {
    const scattered = pagesAt(0x8000_0000, 4000).map((address) => address * 3);
    const [finding] = judgeContiguity(placed('scattered', scattered));
    expect(finding?.message.split('\n')).toHaveLength(13);
    expect(finding?.message).toContain('and 3992 more runs');
  });

  test('the same runs with 16 KiB pages', () => {
    expect(describeRuns([0x4000_0000, 0x4000_4000, 0x5000_0000], 16384)).toBe(
      'pages 0-1 at 0x4000_0000 (32 KiB)\npage 2 at 0x5000_0000 (16 KiB)',
    );
  });
});

test.describe('alignment and claims', () => {
  test('the start is a multiple of the alignment, or it is said by how much it is not', () => {
    expect(judgeAlignment(observed, 8)).toEqual([]);
    expect(judgeAlignment(placed('x', 0x5800_0000, 4), 0x800_0000)).toEqual([]);
    const [finding] = judgeAlignment(placed('1 MiB', 0x5800_3000, 4), 65536);
    expect(finding).toMatchObject({ rule: 'aligned', blame: 'driver' });
    expect(finding?.message).toContain('starts at 0x5800_3000, which is 12 KiB past a multiple of 64 KiB');
    expect(blamed(judgeAlignment(observed, 0))).toEqual(['lab: evidence']);
  });

  test('the claimed address is off by a page', () => {
    const claimed = { physicalAddress: 0x5800_1000, bytes: 16384 };
    const [finding, ...more] = judgeClaim({ ...observed, claimed });
    expect(more).toEqual([]);
    expect(finding?.rule).toBe('claimed-address');
    expect(finding?.message).toContain('claims 0x5800_1000, its memory lies at 0x5800_0000');
    expect(finding?.message).toContain('1 page (4 KiB) below');
  });

  test('the claimed address is inside a page, as that of kmalloc memory would be', () => {
    const claimed = { physicalAddress: 0x5800_0040 };
    expect(blamed(judgeClaim({ ...observed, claimed }))).toEqual([
      'driver: page-aligned',
      'driver: claimed-address',
    ]);
  });

  test('more is mapped than the driver says the buffer has', () => {
    const claimed = { physicalAddress: 0x5800_0000, bytes: 4096 };
    expect(blamed(judgeClaim({ ...observed, claimed }))).toEqual(['driver: claimed-size']);
    expect(judgeClaim({ ...observed, claimed: { physicalAddress: 0x5800_0000, bytes: 65536 } })).toEqual([]);
  });

  test('what is claimed is what the driver says, and not what is mapped', () => {
    const told = { physicalAddress: 0x5800_0000, allocatedBytes: 16384 };
    expect(claimOf(told, 4096)).toEqual({ physicalAddress: 0x5800_1000, bytes: 12288 });
    expect(claimOf({ ...told, sizeUntold: true }, 4096)).toEqual({ physicalAddress: 0x5800_1000 });
    expect(claimOf({ allocatedBytes: 16384 }, 0)).toEqual({});
    const mapped = placed('x', 0x5800_0000, 8);
    expect(blamed(judgeClaim({ ...mapped, claimed: claimOf(told, 0) }))).toEqual(['driver: claimed-size']);
    expect(judgeClaim({ ...mapped, claimed: claimOf({ ...told, sizeUntold: true }, 0) })).toEqual([]);
  });

  test('a claim that was not recorded proves nothing', () => {
    expect(blamed(judgeClaim({ ...observed, claimed: {} }))).toEqual(['lab: evidence']);
  });
});

test.describe('disjointness', () => {
  test('neighbours are disjoint', () => {
    const buffers = [0, 1, 2].map((index) => placed(`buffer ${index}`, 0x5800_0000 + index * 0x4000, 4));
    expect(judgeDisjointness(buffers)).toEqual([]);
  });

  test('buffers that overlap in a page are named, with where', () => {
    const buffers = [placed('A', 0x5800_0000, 4), placed('B', 0x6000_0000, 4), placed('C', 0x5800_3000, 4)];
    const [finding, ...more] = judgeDisjointness(buffers);
    expect(more).toEqual([]);
    expect(finding).toEqual({
      rule: 'disjoint',
      blame: 'driver',
      message:
        'A and C share 4 KiB of physical memory\n' +
        '  page 0 at 0x5800_3000 (4 KiB) of the latter = from page 3 of the former',
    });
  });

  test('one buffer handed out twice', () => {
    const [finding] = judgeDisjointness([placed('A', 0x5800_0000, 4), placed('B', 0x5800_0000, 4)]);
    expect(finding?.message).toContain('A and B share 16 KiB');
  });

  test('what cannot be compared', () => {
    expect(blamed(judgeDisjointness([observed]))).toEqual(['lab: evidence']);
    expect(blamed(judgeDisjointness([]))).toEqual(['lab: evidence']);
    const other = { ...placed('x', 0x6000_0000, 4), pageBytes: 16384 };
    expect(blamed(judgeDisjointness([observed, other]))).toEqual(['lab: evidence']);
  });
});

test.describe('words and pictures', () => {
  test('numbers as kernel engineers write them', () => {
    expect([0, 0xfff, 0x1_0000, 0x5800_0000, 0xffff_8000_1234].map(hex)).toEqual([
      '0x0',
      '0xfff',
      '0x1_0000',
      '0x5800_0000',
      '0xffff_8000_1234',
    ]);
    expect([0, 1, 4096, 16384 + 100, 2 ** 24 + 4096, 2 ** 31].map(size)).toEqual([
      '0 B',
      '1 B',
      '4 KiB',
      '16 KiB + 100 B',
      '16 MiB + 4 KiB',
      '2 GiB',
    ]);
  });

  test('the picture shows every buffer, every run, and what is shared, inside its frame', () => {
    const picture = drawLayout([
      placed('A <1>', [...pagesAt(0x5800_0000, 64), ...pagesAt(0x9000_0000, 64)]),
      placed('B', 0x5802_0000, 64),
      { ...observed, label: 'unseen', sightings: [] },
    ]);
    expect(picture).toContain('A &lt;1&gt;');
    expect(picture).toContain('pages 0-63 at 0x5800_0000 (256 KiB)');
    expect(picture).toContain('shared: 0x5802_0000, 128 KiB');
    expect(picture).toContain('not seen');
    const [, width = 0] = /viewBox="0 0 (\d+) /.exec(picture)?.map(Number) ?? [];
    for (const [, x, w] of picture.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)) {
      expect(Number(x) + Number(w)).toBeLessThanOrEqual(width);
    }
  });

  test('pages far apart from each other stay inside the frame', () => {
    const farApart = pagesAt(0, 200).map((address) => address * 262_144 + 0x4000_0000);
    const bars = [
      ...drawLayout([placed('far apart', farApart)]).matchAll(
        /<rect x="([\d.-]+)" y="\d+" width="([\d.-]+)"/g,
      ),
    ];
    expect(bars.length).toBeGreaterThan(20);
    for (const [, x, width] of bars) {
      expect(Number(x)).toBeGreaterThanOrEqual(260);
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(981);
    }
  });

  test('a buffer scattered over thousands of places is still a small picture', () => {
    const scattered = pagesAt(0x8000_0000, 20_000).map(
      (_, index) => 0x8000_0000 + ((index * 7919) % 20_000) * 12_288,
    );
    expect(drawLayout([placed('scattered', scattered)]).length).toBeLessThan(200_000);
  });
});
