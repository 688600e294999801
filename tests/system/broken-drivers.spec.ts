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
  /** Tests about other properties, which must stay green. */
  green: string[];
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
    green: ['BND-02', 'BND-03', 'GEO-03 a buffer of 4 MiB'],
  },
  {
    diff: 'P02',
    what: 'a mapping may be one page longer than the buffer',
    red: {
      'BND-01 a mapping one page longer':
        /errno: mmap of 8 KiB from page 0 of the 4 KiB buffer .*ENXIO, expected EINVAL/,
      'BND-01 the bytes that rounding up adds': /errno: mmap of 16 KiB from page 0 of the 12 KiB buffer/,
      'BND-04': /errno: mmap of 32 KiB from page 1 of the 32 KiB buffer .*ENXIO/,
    },
    green: ['BND-02', 'BND-03', 'GEO-03 a buffer of 4 MiB'],
  },
  {
    diff: 'P07',
    what: 'large buffers are scattered',
    red: {
      'GEO-03 a buffer of 4 MiB':
        /contiguous: 4 MiB buffer .* physically in \d+ pieces, expected one[^]*seen by hypervisor and kcore/,
      'GEO-03 a buffer of 16 MiB': /contiguous: 16 MiB buffer .* physically in \d+ pieces, expected one/,
    },
    green: ['GEO-03 a buffer of 64 KiB', 'GEO-03 a buffer of 1 MiB', 'GEO-07', 'BND-01'],
  },
  {
    diff: 'P08',
    what: 'the driver tells a wrong address',
    red: { 'GEO-02 buffers of every size': /claimed-address: 4 KiB buffer .* 1 page \(4 KiB\) below/ },
    green: ['GEO-02 what the system tells', 'GEO-03 a buffer of 4 MiB', 'GEO-07', 'BND-01'],
  },
  {
    diff: 'P09',
    what: 'memory is handed out as it is',
    red: { 'ZER-01 a fresh buffer of the page allocator': /contents: .* bytes .* are not 0x00\nfirst: 0x/ },
    green: ['GEO-02', 'GEO-03 the page allocator refuses', 'BND-01'],
  },
  {
    diff: 'P13',
    what: 'memory never comes back',
    // Whoever has mapped a buffer leaves it behind, and the audit around each test says so.
    red: {
      'LIF-01 memory comes back': /ENOMEM/,
      'LIF-01 a mapping outlives': /DriverError \[LEAK\]: alive after .*: buffers went from 0 to 17/,
      'GEO-02': /DriverError \[LEAK\]: alive after .*: buffers went from 0 to \d+/,
      'BND-01 the bytes that rounding up adds': /DriverError \[LEAK\]: .*: buffers went from 0 to 1$/m,
    },
    green: ['BND-01 a mapping one page longer'],
  },
];

for (const { diff, what, red, green } of mutants) {
  test(`${diff}: ${what}`, async ({ rig }) => {
    const run = await rig.run({
      project: 'qemu-arm64',
      grep: `fd-per-buffer.*(${[...Object.keys(red), ...green].join('|')})`,
      env: { BUFRIG_DRIVER_DIFF: join(projectFolder, 'driver', 'mutants', `${diff}.diff`) },
    });
    const failed = run.tests.filter(({ status }) => status === 'unexpected');
    const others = run.tests.filter((ran) => !failed.includes(ran));
    const told = failed.map(({ title, errors }) => [nameIn(Object.keys(red), title), errors.join('\n')]);
    expect(Object.keys(Object.fromEntries(told)).toSorted(), run.output).toEqual(Object.keys(red).toSorted());
    for (const [name = '', message] of told) expect(message).toMatch(red[name] ?? /^$/);
    expect(new Set(others.map(({ title }) => nameIn(green, title)))).toEqual(new Set(green));
    expect(others.filter(({ status }) => status !== 'expected')).toEqual([]);

    expect(run.summary.red.map(({ verdict }) => verdict)).toEqual(failed.map(() => 'fail'));
    expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
    expect(run.code).toBe(1);
  });
}

/** The one of the names that a title begins with; the whole title when there is none. */
function nameIn(names: readonly string[], title: string): string {
  return names.find((name) => title.startsWith(name)) ?? title;
}
