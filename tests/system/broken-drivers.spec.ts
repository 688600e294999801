// SPDX-License-Identifier: MIT
/**
 * Drivers with one defect each (driver/mutants): the check that names the property is red with
 * verdict `fail` and says what it saw, and checks of other properties stay green.
 */
import { join } from 'node:path';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

interface Mutant {
  diff: string;
  what: string;
  /** The tests that must be red, by the beginning of their titles, and what they must say. */
  red: Record<string, RegExp>;
}

const mutants: Mutant[] = [
  {
    diff: 'P01',
    what: "a mapping's length is compared with nothing",
    red: {
      'BND-01 a mapping one page longer':
        /must-fail: mmap of 8 KiB from page 0 of the 4 KiB buffer .*succeeded/,
      'BND-01 the bytes that rounding up adds': /must-fail: mmap of 16 KiB from page 0 of the 12 KiB buffer/,
      'BND-04': /must-fail: mmap of 32 KiB from page 1 of the 32 KiB buffer .*succeeded/,
    },
  },
  {
    diff: 'P07',
    what: 'large buffers are scattered',
    red: {
      'GEO-03 a buffer of 4 MiB': /contiguity: 4 MiB buffer/,
      'GEO-03 a buffer of 16 MiB': /contiguity: 16 MiB buffer/,
    },
  },
  {
    diff: 'P08',
    what: 'the driver tells a wrong address',
    red: { 'GEO-02': /claim: 4 KiB buffer/ },
  },
  {
    diff: 'P09',
    what: 'memory is handed out as it is',
    red: { 'ZER-01 a fresh buffer of the page allocator': /contents: .* bytes .* are not 0x00[^]*first: 0x/ },
  },
  {
    diff: 'P21',
    what: 'memory goes with the last open file although it is mapped',
    red: { 'LIF-01 a mapping outlives': /page-order: 4 MiB buffer/ },
  },
  {
    diff: 'P13',
    what: 'memory never comes back',
    red: { 'LIF-01 memory comes back': /ENOMEM/ },
  },
];

/** Checks of every property above, through one strategy. */
const CHECKS = [
  'BND-01',
  'BND-04',
  'GEO-02',
  'GEO-03 a buffer of (64 KiB|4 MiB|16 MiB)',
  'LIF-01',
  'ZER-01 a fresh buffer of the page allocator',
];

for (const { diff, what, red } of mutants) {
  test(`${diff}: ${what}`, async ({ rig }) => {
    const run = await rig.run({
      project: 'qemu-arm64',
      grep: `fd-per-buffer.*(${CHECKS.join('|')})`,
      env: { BUFRIG_DRIVER_DIFF: join(projectFolder, 'driver', 'mutants', `${diff}.diff`) },
    });
    const failed = run.tests.filter(({ status }) => status === 'unexpected');
    const told = Object.fromEntries(failed.map(({ title, errors }) => [title, errors.join('\n')]));
    expect(
      Object.keys(told)
        .map((title) => nameIn(red, title))
        .toSorted(),
      run.output,
    ).toEqual(Object.keys(red).toSorted());
    for (const [title, message] of Object.entries(told))
      expect(message).toMatch(red[nameIn(red, title)] ?? /^$/);

    expect(run.summary.red.map(({ verdict }) => verdict)).toEqual(failed.map(() => 'fail'));
    expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
    expect(run.tests.length - failed.length, 'green checks of other properties').toBeGreaterThan(4);
    expect(run.code).toBe(1);
  });
}

/** The name in the table for a test; its whole title when it has none. */
function nameIn(table: Record<string, RegExp>, title: string): string {
  return Object.keys(table).find((name) => title.startsWith(name)) ?? title;
}
