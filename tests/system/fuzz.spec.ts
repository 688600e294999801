// SPDX-License-Identifier: MIT
/** Calls at random find a defect that takes a few calls in the right order, and say which. */
import { join } from 'node:path';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

/** Beginnings of the requests without which the defect does not show. */
const defects = [
  {
    diff: 'P12',
    what: 'a copy of a mapping takes no reference, and each gives one back',
    says: /refcount_t: |KASAN|slab|Unable to handle|BUG|Bad page/,
    needs: [/^ {2}open \/dev\/contigbuf /m, /^ {2}ioctl \d+ 0x[0-9a-f]+ \S+ -> ok/m, /^ {2}mmap .* -> ok/m],
  },
];

for (const { diff, what, says, needs } of defects) {
  test(`${diff}: ${what}`, async ({ rig }) => {
    const run = await rig.run({
      project: 'qemu-arm64',
      grep: 'IOC-13 5000 calls',
      env: { BUFRIG_DRIVER_DIFF: join(projectFolder, 'driver', 'mutants', `${diff}.diff`) },
    });
    expect(run.summary.red, run.output).toMatchObject([{ verdict: 'crash', claim: 'IOC-13' }]);
    const told = run.tests[0]?.errors.find((message) => message.includes('[FUZZ]')) ?? '';
    expect(told).toMatch(/^DriverError \[FUZZ\]: calls at random: /);
    expect(told).toMatch(says);
    for (const request of needs) expect(told).toMatch(request);
    // It comes again when the requests are made one by one.
    expect(told).toMatch(/^which comes to: (?!nothing)/m);
    const requests = told
      .split('\n')
      .filter((line) => / -> (ok|\w+: E[A-Z]+|SIG\w+|no answer|not made)/.test(line));
    expect(requests.length).toBeGreaterThan(2);
    expect(requests.length).toBeLessThan(25);
    expect(run.summary.errors).toEqual([]);
  });
}
