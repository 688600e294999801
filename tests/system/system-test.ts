// SPDX-License-Identifier: MIT
/** `test` for claims about whole runs of the rig. */
import { test as base } from '@playwright/test';
import { Rig } from './rig-run.ts';

export const test = base.extend<{ rig: Rig }>({
  // oxlint-disable-next-line no-empty-pattern
  rig: async ({}, use) => {
    const rig = new Rig();
    await use(rig);
    rig.close();
  },
});

export { expect } from '@playwright/test';
