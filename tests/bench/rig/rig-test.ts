// SPDX-License-Identifier: MIT
/** `test` for measurements of whole runs of the rig. */
import { rigTest } from '../../../fixtures/rig-bench.ts';
import { Rig } from '../../system/rig-run.ts';

export const test = rigTest.extend<{ rig: Rig }>({
  // oxlint-disable-next-line no-empty-pattern
  rig: async ({}, use) => {
    const rig = new Rig();
    await use(rig);
    rig.close();
  },
});

export { expect } from '../../../fixtures/rig-bench.ts';
