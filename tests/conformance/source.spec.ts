// SPDX-License-Identifier: MIT
/**
 * SRC: what can be said about a driver without running it. That it compiles with W=1 without a warning
 * is said by every run: a driver that does not is not loaded.
 */
import { expect, lookWithSparse, test } from '../../fixtures/index.ts';

test('SRC-01 sparse finds nothing in the driver, as it is built for this kernel', async ({
  cache,
  driver,
  settings,
  target,
}) => {
  // A build, and on a busy machine.
  test.setTimeout(600_000);
  const { files, warnings } = await lookWithSparse({ cache, driver, settings, target });
  expect(files, 'files that sparse looked at').toBeGreaterThan(0);
  expect(warnings, 'what it warns of').toEqual([]);
});
