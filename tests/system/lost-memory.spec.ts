// SPDX-License-Identifier: MIT
/** A driver that loses memory which nobody counts: no test sees it, the kernel that looks for it does. */
import { join } from 'node:path';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

test('what a driver has lost is told when it is gone, with the lines that had allocated it', async ({
  rig,
}) => {
  const run = await rig.run({
    project: 'qemu-arm64-debug',
    grep: 'fd-per-buffer.*(BND-02|LIF-10)|LIF-10',
    env: { BUFRIG_DRIVER_DIFF: join(projectFolder, 'tests', 'system', 'diffs', 'loses-memory.diff') },
  });
  // Who looks for it on purpose finds it, too.
  expect(run.summary.red, run.output).toMatchObject([{ verdict: 'fail', claim: 'LIF-10' }]);
  expect(run.tests.filter(({ title }) => title.startsWith('BND-02')).map(({ status }) => status)).toEqual([
    'expected',
  ]);
  expect(run.summary.errors).toMatchObject([
    { verdict: 'crash', cause: expect.stringContaining('memory was lost') },
  ]);
  expect(run.output).toMatch(/unreferenced object 0x[0-9a-f]+ \(size \d+\)/);
  expect(run.output).toMatch(/contigbuf_ioctl\+0x\w+\/0x\w+ \[contigbuf\] at driver\/module\/ioctl\.c:\d+/);
  expect(run.code).toBe(1);
});
