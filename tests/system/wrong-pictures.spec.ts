// SPDX-License-Identifier: MIT
/**
 * Drivers that hand out memory a device cannot work on: the picture is red, says how, and is in the
 * report. A wrong address of the control block is not among them: what the device executes then is
 * whatever lies there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

interface WrongPicture {
  what: string;
  diff: string;
  /** What the test of the large picture says. */
  says: RegExp;
  /** How many of the pictures are wrong: the small one is below 4 MiB. */
  red: 1 | 2;
}

const wrongPictures: WrongPicture[] = [
  {
    what: 'the address told is one page off',
    diff: 'tests/system/diffs/large-buffers-one-page-off.diff',
    says: /picture: shifted: the screen reads memory 4 KiB behind the place of the picture, that is 1 page\n/,
    red: 2,
  },
  {
    what: 'large buffers are scattered',
    diff: 'driver/mutants/P07.diff',
    says: /of the frame's 2025 pages of 4 KiB the screen shows \d+ in their places.*\n.* pixels are wrong.*\nfirst: .*\n {2}at page/,
    red: 1,
  },
];

for (const { what, diff, says, red } of wrongPictures) {
  test(`${what}: the screen tells`, async ({ rig }) => {
    const run = await rig.run({
      project: 'qemu-arm64',
      grep: 'GEO-09 the screen shows',
      env: { BUFRIG_DRIVER_DIFF: join(projectFolder, diff) },
    });
    expect(run.tests, run.output).toHaveLength(2);
    const [large] = run.tests;
    expect(large?.errors.join('\n')).toMatch(says);
    expect(run.summary.red.map(({ verdict }) => verdict)).toEqual(Array(red).fill('fail'));
    expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
    expect(run.code).toBe(1);
    const shown = (large?.attachments ?? []).filter(({ name }) => name.startsWith('screen-'));
    expect(shown.map(({ name }) => name)).toEqual(['screen-actual', 'screen-expected', 'screen-diff']);
    for (const { path = '' } of shown) expect(readFileSync(path).toString('latin1', 1, 4)).toBe('PNG');
  });
}
