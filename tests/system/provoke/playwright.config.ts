// SPDX-License-Identifier: MIT
/** The rig as it is, with a suite that breaks the kernel in place of the one that tests a driver. */
import { defineConfig } from '@playwright/test';
import usual from '../../../playwright.config.ts';

export default defineConfig({
  ...usual,
  testDir: import.meta.dirname,
  projects: usual.projects?.map((project) => ({ ...project, testMatch: '*.suite.ts', grepInvert: [] })),
});
