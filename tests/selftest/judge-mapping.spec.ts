// SPDX-License-Identifier: MIT
/** The judges of what a mapping shows and how far it goes, on saved observations: for every rule one that breaks it. */
import { expect, test } from '@playwright/test';
import { drawPageOrder, judgeContents, judgeExtent, judgePageOrder } from '../../harness/judge/judges.ts';
import type { Extent, Finding } from '../../harness/judge/observation.ts';

/** Who is blamed for which rule. */
const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

test.describe('contents', () => {
  const zero = {
    label: '8 KiB fresh buffer',
    bytes: 8192,
    compared: 8192,
    expected: 0,
    mismatches: 0,
    pageBytes: 4096,
  };

  test('all bytes as expected', () => {
    expect(judgeContents(zero)).toEqual([]);
  });

  test('poisoned pages: how many, the first, and what the byte means', () => {
    const [finding] = judgeContents({ ...zero, mismatches: 4096, first: { offset: 4096, value: 0xaa } });
    expect(finding).toMatchObject({ rule: 'contents', blame: 'driver' });
    expect(finding?.message).toContain('4096 of 8192 bytes (8 KiB) are not 0x00');
    expect(finding?.message).toContain('first: 0xaa at offset 0x1000 (page 1, byte 0)');
    expect(finding?.message).toContain('PAGE_POISON');
  });

  test('one byte in the tail', () => {
    const [finding] = judgeContents({ ...zero, mismatches: 1, first: { offset: 8191, value: 1 } });
    expect(finding?.message).toContain('first: 0x01 at offset 0x1fff (page 1, byte 4095)');
  });

  test('a comparison that stopped early, never happened, or contradicts itself', () => {
    const first = { offset: 0, value: 0xaa };
    for (const contents of [
      { ...zero, compared: 4096 },
      { ...zero, bytes: 0, compared: 0 },
      { ...zero, mismatches: Number.NaN },
      { ...zero, mismatches: 1 },
      { ...zero, first },
      { ...zero, mismatches: 1, first: { offset: 0, value: 0 } },
    ]) {
      expect(blamed(judgeContents(contents))).toEqual(['lab: evidence']);
    }
  });

  test('each page of a mapping shows its page of the buffer', () => {
    expect(judgePageOrder({ label: 'x', expected: [2, 3], seen: [2, 3] })).toEqual([]);
    const [swapped] = judgePageOrder({ label: 'x', expected: [0, 1, 2], seen: [0, 2, 1] });
    expect(swapped?.message).toContain('page 1 of the mapping shows page 2 of the buffer, expected page 1');
    const [foreign] = judgePageOrder({ label: 'x', expected: [0, 1], seen: [0, null] });
    expect(foreign).toMatchObject({ rule: 'page-order', blame: 'driver' });
    expect(foreign?.message).toContain('shows no page of this buffer');
    expect(blamed(judgePageOrder({ label: 'x', expected: [0, 1], seen: [0] }))).toEqual(['lab: evidence']);
    expect(blamed(judgePageOrder({ label: 'x', expected: [], seen: [] }))).toEqual(['lab: evidence']);
  });

  test('pages in the wrong order are told by stretches, and their usual cause is named', () => {
    // As vgem shows six pages after mprotect() of page 1.
    const split = { label: 'x', expected: [0, 1, 2, 3, 4, 5], seen: [0, 0, 0, 1, 2, 3] };
    const [finding] = judgePageOrder(split);
    expect(finding?.message).toContain('mapping 2-5: shows 0-3, belongs 2-5');
    expect(finding?.message).toContain('counting begins anew with page 0 in every piece');
    const [shifted] = judgePageOrder({ label: 'x', expected: [0, 1, 2], seen: [1, 2, 3] });
    expect(shifted?.message).toContain('mapping 0-2: shows 1-3, belongs 0-2');
    expect(shifted?.message).not.toContain('counting begins anew');
    const [foreign] = judgePageOrder({ label: 'x', expected: [0, 1], seen: [null, null] });
    expect(foreign?.message).toContain('memory of somebody else');

    const picture = drawPageOrder({ ...split, label: '<x>' });
    expect(picture.match(/fill="#d33"/g)).toHaveLength(5);
    expect(picture).toContain('&lt;x>');
    expect(drawPageOrder({ label: 'x', expected: [0, 1], seen: [0, 1] })).not.toContain('#d33');
  });
});

test.describe('the extent of a mapping', () => {
  const good: Extent = {
    label: '4097 bytes',
    pageBytes: 4096,
    requestedBytes: 4097,
    virtualAddress: 0x7f00_0000_0000,
    vma: { start: 0x7f00_0000_0000, end: 0x7f00_0000_2000 },
    tailReadable: true,
    beyond: { kind: 'signal', signal: 'SIGSEGV' },
  };

  test('whole pages, the tail readable, and nothing behind', () => {
    expect(judgeExtent(good)).toEqual([]);
    expect(judgeExtent({ ...good, beyond: { kind: 'other-mapping', mapping: '[heap]' } })).toEqual([]);
  });

  for (const [name, change, blame] of [
    [
      'a page too long',
      { vma: { start: 0x7f00_0000_0000, end: 0x7f00_0000_3000 } },
      'driver: mapping-length',
    ],
    [
      'a page too short',
      { vma: { start: 0x7f00_0000_0000, end: 0x7f00_0000_1000 } },
      'driver: mapping-length',
    ],
    ['begins early', { vma: { start: 0x7eff_ffff_f000, end: 0x7f00_0000_2000 } }, 'driver: mapping-length'],
    ['a tail that faults', { tailReadable: false }, 'driver: tail-readable'],
    ['goes on behind its end', { beyond: { kind: 'same-mapping' } }, 'driver: mapping-end'],
    ['SIGBUS behind its end', { beyond: { kind: 'signal', signal: 'SIGBUS' } }, 'driver: mapping-end'],
    ['no line in /proc/self/maps', { vma: undefined }, 'lab: evidence'],
    ['a tail nobody read', { tailReadable: undefined }, 'lab: evidence'],
    ['an end nobody looked at', { beyond: undefined }, 'lab: evidence'],
    ['an address that is no number', { virtualAddress: Number.NaN }, 'lab: evidence'],
  ] as const) {
    test(name, () => {
      expect(blamed(judgeExtent({ ...good, ...change }))).toEqual([blame]);
    });
  }

  test('an address that is not page aligned', () => {
    const start = 0x7f00_0000_0010;
    const findings = judgeExtent({ ...good, virtualAddress: start, vma: { start, end: start + 8192 } });
    expect(blamed(findings)).toEqual(['driver: virtual-alignment']);
  });
});
