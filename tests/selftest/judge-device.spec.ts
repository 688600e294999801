// SPDX-License-Identifier: MIT
/** The judges of what a device can have of a buffer, on saved observations, good and bad. */
import { expect, test } from '@playwright/test';
import { judgeHandOver, judgeMemoryTypes, judgeReach } from '../../harness/judge/judges.ts';
import type { Finding, HandingOver, HandOver, MemoryTypes } from '../../harness/judge/observation.ts';
import { handOversIn, takenIn } from '../../harness/witness/dma-events.ts';
import { observed, placed } from './data/judge/placements.ts';

const bits = (count: number) => ({ what: `${count} address bits`, start: 0, end: 2 ** count });
const blamed = (findings: readonly Finding[]) => findings.map(({ blame, rule }) => `${blame}: ${rule}`);

/** As the kernel writes it (Documentation/trace/events.rst). */
function event(words: string): string {
  return ` agent-130     [000] .....     8.623685: ${words}`;
}

test.describe('what a device reaches', () => {
  test('a buffer below the border is in reach, to its last byte', () => {
    expect(judgeReach(observed, bits(31))).toEqual([]);
    expect(judgeReach(placed('at the border', 0x3fff_f000, 1), bits(30))).toEqual([]);
    expect(judgeReach(placed('anywhere', 0x10_0000_0000, 1), bits(64))).toEqual([]);
  });

  test('a page beyond the border is named', () => {
    const findings = judgeReach(placed('16 KiB buffer 1', 0x3fff_e000, 4), bits(30));
    expect(blamed(findings)).toEqual(['driver: in-reach']);
    expect(findings[0]?.message).toContain('pages 2-3 (2 of 4) lie beyond 30 address bits');
    expect(findings[0]?.message).toContain('first: page 2 at 0x4000_0000');
  });

  test('so is one before what a bus reaches, or behind it', () => {
    const bus = { what: 'its bus', start: 0x4000_0000, end: 0x4000_2000 };
    const [finding] = judgeReach(placed('16 KiB buffer 1', 0x3fff_f000, 4), bus);
    expect(finding?.message).toContain('pages 0 and 3 (2 of 4) lie beyond its bus');
    expect(judgeReach(placed('8 KiB buffer 1', 0x4000_0000, 2), bus)).toEqual([]);
  });

  test('without witnesses, or with a width that no device has, it is the lab’s', () => {
    expect(blamed(judgeReach({ ...observed, sightings: [] }, bits(30)))).toEqual(['lab: witnesses']);
    for (const count of [65, Number.NaN])
      expect(blamed(judgeReach(observed, bits(count)))).toEqual(['lab: evidence']);
    expect(blamed(judgeReach(observed, { what: 'a bus', start: 1, end: 1 }))).toEqual(['lab: evidence']);
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

const handOver = (more: Partial<HandOver> = {}): HandOver => ({
  ...{ device: 'bufrig-importer', to: 'cpu', direction: 'from-device' },
  ranges: [{ address: 0x5fe2_0000, bytes: 0x4000 }],
  ...more,
});
const handing = (seen: HandOver[], wanted: Partial<HandingOver['wanted']> = {}): HandingOver => ({
  call: 'SYNC',
  buffer: { bytes: 0x4000 },
  wanted: { to: 'cpu', direction: 'from-device', devices: 1, offset: 0, bytes: 0x4000, ...wanted },
  seen,
});

test.describe('memory that is handed over', () => {
  test('all of it, to each device, or more of the buffer than was asked for', () => {
    expect(judgeHandOver(handing([handOver(), handOver()], { devices: 2 }))).toEqual([]);
    expect(judgeHandOver(handing([handOver({ direction: 'both' })], { offset: 64, bytes: 128 }))).toEqual([]);
    expect(judgeHandOver(handing([], { devices: 0 }))).toEqual([]);
    const pieces = [
      { address: 0x5fe2_2000, bytes: 0x2000 },
      { address: 0x5fe2_0000, bytes: 0x2000 },
    ];
    const known = { address: 0x5fe2_0000, bytes: 0x4000 };
    expect(judgeHandOver({ ...handing([handOver({ ranges: pieces })]), buffer: known })).toEqual([]);
  });

  test('not at all, the wrong way, in part, to one of two, or to one that is gone', () => {
    const wrong = [
      handing([]),
      handing([handOver({ to: 'device' })]),
      handing([handOver({ direction: 'to-device' })]),
      handing([handOver({ ranges: [{ address: 0x5fe2_0000, bytes: 0x3000 }] })]),
      handing([handOver()], { devices: 2 }),
      handing([handOver()], { devices: 0 }),
    ];
    for (const each of wrong) expect(blamed(judgeHandOver(each))).toEqual(['driver: hand-over']);
    expect(judgeHandOver(handing([]))[0]?.message).toContain('went 0 times to the cpu, for from-device');
  });

  test('what is no part of the buffer is named', () => {
    const buffer = { address: 0x5fe2_1000, bytes: 0x4000 };
    const [finding] = judgeHandOver({ ...handing([handOver()]), buffer });
    expect(finding?.message).toContain('what is no part of the buffer (16 KiB at 0x5fe2_1000)');
  });

  test('what was taken of the kernel and what was given back is counted', () => {
    const mapped = 'contigbuf dir=BIDIRECTIONAL dma_addr=457a4000 size=16384';
    const trace = [
      '# tracer: nop',
      event(`dma_map_page: ${mapped} phys_addr=457a4000 attrs=NO_WARN`),
      event(
        'dma_map_sg: vgem dir=BIDIRECTIONAL dma_addrs={0x457a4000} sizes={0x4000} phys_addrs={0x457a4000}',
      ),
      event(`dma_unmap_page: ${mapped} attrs=`),
      event('dma_alloc: contigbuf dma_addr=5fe20000 size=16384 virt_addr=ffff80000a000000 flags=GFP_KERNEL'),
      event('dma_sync_single_for_cpu: contigbuf dir=BIDIRECTIONAL dma_addr=5fe20000 size=16384'),
    ];
    expect(takenIn(trace.join('\n'))).toEqual({
      'mapped ranges, both': { taken: 1, given: 1 },
      'mapped lists, both': { taken: 1, given: 0 },
      'pieces of memory': { taken: 1, given: 0 },
    });
    const otherWay = event('dma_unmap_sg: vgem dir=TO_DEVICE phys_addrs={0x457a4000} attrs=');
    expect(takenIn([...trace, otherWay].join('\n')), 'in another direction').toMatchObject({
      'mapped lists, both': { taken: 1, given: 0 },
      'mapped lists, to-device': { taken: 0, given: 1 },
    });
    expect(() => takenIn(event('dma_unmap_sg: vgem way=UP'))).toThrow('in words that are not known');
    expect(() => takenIn(event('dma_fence_init: driver=vgem'))).toThrow('in words that are not known');
  });

  test('the kernel’s words are read, those that are not known are the lab’s trouble', () => {
    const trace = [
      '# tracer: nop',
      '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
      ' agent-122     [000] .....     6.590161: dma_sync_sg_for_cpu: bufrig-importer dir=FROM_DEVICE dma_addrs={0x5fe20000,0x5fe30000} sizes={0x4000,0x1000}',
      ' agent-128     [000] .....     7.425385: dma_sync_single_for_device: contigbuf dir=TO_DEVICE dma_addr=5fe24000 size=16384',
      ' agent-130     [000] .....     8.623685: dma_map_phys: contigbuf dir=BIDIRECTIONAL dma_addr=457a4000 size=16384 phys_addr=457a4000 attrs=NO_WARN',
      // No hand-over.
      ' agent-130     [000] .....     8.623685: dma_map_sg: vgem dir=BIDIRECTIONAL dma_addrs={0x457a4000} sizes={16384} phys_addrs={0x457a4000} attrs=SKIP_CPU_SYNC|NO_WARN',
      '',
    ];
    expect(handOversIn(trace.join('\n'))).toEqual([
      handOver({
        ranges: [
          { address: 0x5fe2_0000, bytes: 0x4000 },
          { address: 0x5fe3_0000, bytes: 0x1000 },
        ],
      }),
      {
        ...{ device: 'contigbuf', to: 'device', direction: 'to-device' },
        ranges: [{ address: 0x5fe2_4000, bytes: 16_384 }],
      },
      {
        ...{ device: 'contigbuf', to: 'device', direction: 'both' },
        ranges: [{ address: 0x457a_4000, bytes: 16_384 }],
      },
    ]);
    const unknown = ' agent-128     [000] .....     7.4: dma_sync_single_for_device: contigbuf way=UP';
    expect(() => handOversIn(unknown)).toThrow('in words that are not known');
    expect(() => handOversIn('CPU:0 [LOST 12 EVENTS]')).toThrow('LOST 12 EVENTS');
    const ranges = [{ address: Number.NaN, bytes: 0x4000 }];
    expect(blamed(judgeHandOver(handing([handOver({ ranges })])))).toEqual(['lab: evidence']);
  });
});
