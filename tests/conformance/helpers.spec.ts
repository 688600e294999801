// SPDX-License-Identifier: MIT
/** What the driver ships for application authors works as it is written, through the header alone. */
import { expect, test } from '../../fixtures/index.ts';
import { profiles } from '../../harness/profile/profiles.ts';
import { basename } from 'node:path';

for (const { strategy, source } of profiles.contigbuf.helpers) {
  test(`HLP-01 ${basename(source)} runs`, { tag: `@${strategy}` }, async ({ driver, runHelper }) => {
    const ships = driver.profile.helpers.some((one) => one.source === source);
    test.skip(!ships, 'the driver does not ship this program');
    const { code, stdout, stderr } = await runHelper(source);
    expect(stderr).toBe('');
    expect(code, stdout).toBe(0);
  });
}
