// SPDX-License-Identifier: MIT
/** The judges of what a device can have of a buffer, on saved observations, good and bad. */
import { expect, test } from '@playwright/test';
import { judgeMemoryTypes, judgeReach } from '../../harness/judge/judges.ts';
import type { Finding, MemoryTypes } from '../../harness/judge/observation.ts';
import { observed, placed } from './data/judge/placements.ts';

const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

test.describe('address bits', () => {
  test('a buffer below the border is in reach, to its last byte', () => {
    expect(judgeReach(observed, 31)).toEqual([]);
    expect(judgeReach(placed('at the border', 0x3fff_f000, 1), 30)).toEqual([]);
    expect(judgeReach(placed('anywhere', 0x10_0000_0000, 1), 64)).toEqual([]);
  });

  test('a page beyond the border is named', () => {
    const findings = judgeReach(placed('16 KiB buffer 1', 0x3fff_e000, 4), 30);
    expect(blamed(findings)).toEqual(['driver: in-reach']);
    expect(findings[0]?.message).toContain('pages 2-3 (2 of 4) lie beyond 30 address bits');
    expect(findings[0]?.message).toContain('first: page 2 at 0x4000_0000');
  });

  test('without witnesses, or with a width that no device has, it is the lab’s', () => {
    expect(blamed(judgeReach({ ...observed, sightings: [] }, 30))).toEqual(['lab: witnesses']);
    for (const bits of [0, 65, Number.NaN]) {
      expect(blamed(judgeReach(observed, bits))).toEqual(['lab: evidence']);
    }
  });
});

const run = (memoryType: string, bytes = 8192, physicalAddress = 0x5800_0000) => ({
  memoryType,
  bytes,
  physicalAddress,
});
const types = (more: Partial<MemoryTypes>): MemoryTypes => ({
  label: '8 KiB buffer 1',
  accepted: ['write-combined'],
  mappings: [
    { what: 'writable', bytes: 8192, runs: [run('write-combined')] },
    { what: 'in a child', bytes: 8192, runs: [run('write-combined', 4096), run('write-combined', 4096)] },
  ],
  ...more,
});

test.describe('memory types', () => {
  test('mappings of the type that the cache mode wants, or of one type where none is named', () => {
    expect(judgeMemoryTypes(types({}))).toEqual([]);
    const { mappings } = types({});
    expect(judgeMemoryTypes({ label: 'a buffer', mappings })).toEqual([]);
  });

  test('another type than the mode wants, a page of another type, two mappings of two types', () => {
    const cached = { what: 'writable', bytes: 8192, runs: [run('write-back')] };
    const findings = judgeMemoryTypes(types({ mappings: [cached] }));
    expect(blamed(findings)).toEqual(['driver: memory-type']);
    expect(findings[0]?.message).toContain('writable: 8 KiB of 8 KiB are not write-combined');
    const mixed = {
      what: 'mixed',
      bytes: 8192,
      runs: [run('write-combined', 4096), run('device', 4096, 0x1000)],
    };
    expect(judgeMemoryTypes(types({ mappings: [mixed] }))[0]?.message).toContain('first: device at 0x1000');
    const two = { label: 'a buffer', mappings: [...types({}).mappings, cached] };
    expect(blamed(judgeMemoryTypes(two))).toEqual(['driver: memory-type']);
  });

  test('what the page tables do not tell is the lab’s', () => {
    expect(blamed(judgeMemoryTypes(types({ mappings: [] })))).toEqual(['lab: evidence']);
    const hole = { what: 'writable', bytes: 8192, runs: [run('write-combined', 4096)] };
    expect(blamed(judgeMemoryTypes(types({ mappings: [hole] })))).toEqual(['lab: evidence']);
  });
});
