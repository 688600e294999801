// SPDX-License-Identifier: MIT
/**
 * Who may import what, as data for imports.spec.ts. A part is a file or a folder; of several that
 * contain a file the longest counts. `import type` between parts is free: types cost nothing at run time.
 */

export interface PartRule {
  part: string;
  /** Parts it may import, beside itself. A folder allows everything in it. */
  imports: readonly string[];
  /** What the part is for, so that whoever breaks the rule sees where the code belongs. */
  because: string;
}

const basics = ['harness/errors.ts', 'harness/deadline.ts', 'harness/undo.ts'];
const local = [...basics, 'harness/lock.ts', 'harness/process.ts', 'harness/process-identity.ts'];

export const partRules: readonly PartRule[] = [
  { part: 'harness/errors.ts', imports: [], because: 'everything else may import it' },
  { part: 'harness/deadline.ts', imports: ['harness/errors.ts'], because: 'everything else may import it' },
  { part: 'harness/lock.ts', imports: [], because: 'everything local may import it' },
  { part: 'harness/process-identity.ts', imports: [], because: 'everything local may import it' },
  { part: 'harness/undo.ts', imports: ['harness/errors.ts'], because: 'everything else may import it' },
  { part: 'harness/process.ts', imports: basics, because: 'it knows local processes and nothing else' },
  {
    part: 'harness/settings.ts',
    imports: ['harness/errors.ts', 'harness/supply/isolation.ts'],
    because: 'it turns the environment into data',
  },
  { part: 'harness/judge', imports: [], because: 'judges are pure functions of an observation' },
  { part: 'harness/measure', imports: [], because: 'statistics are pure functions of samples' },
  {
    part: 'harness/kernel-log',
    imports: basics,
    because: 'it decodes text, and is handed whatever that comes from',
  },
  {
    part: 'harness/kernel-log/splats.ts',
    imports: [],
    because: 'it is a table',
  },
  { part: 'harness/agent', imports: basics, because: 'it speaks to a stream, whoever opened it' },
  {
    part: 'harness/witness',
    imports: [...basics, 'harness/agent'],
    because: 'it asks an agent and a target, and does not open them',
  },
  {
    part: 'harness/profile',
    imports: [...basics, 'harness/agent'],
    because: 'a profile describes a driver in terms of the agent',
  },
  {
    part: 'harness/target',
    imports: [...local, 'harness/build'],
    because: 'it opens machines; what runs on them is for others',
  },
  {
    part: 'harness/supply',
    imports: [
      ...local,
      'harness/agent',
      'harness/build',
      'harness/kernel-log',
      'harness/profile',
      'harness/target',
    ],
    because: 'it makes targets ready for tests; who the tests are it does not know',
  },
  {
    part: 'harness/supply/isolation.ts',
    imports: [],
    because: 'it is words that settings and reports share',
  },
  { part: 'harness/build', imports: local, because: 'it makes files on this machine' },
  {
    part: 'harness/report',
    imports: [...local, 'harness/measure'],
    because: 'reporters see what fixtures handed over, see harness/report/contract.ts',
  },
  {
    part: 'harness/campaign',
    imports: [...local, 'harness/report'],
    because: 'it runs the rig as a user does; what that was for, the campaigns know',
  },
  {
    part: 'harness/faults',
    imports: [
      ...local,
      'harness/campaign',
      'harness/report',
      'harness/profile',
      'harness/target',
      'harness/kernel-log/follower.ts',
    ],
    because: 'it breaks the lab from outside, and reads what the rig says of it',
  },
  {
    part: 'harness/soak',
    imports: [...local, 'harness/campaign', 'harness/report'],
    because: 'it runs the rig as a user does, and reads what that reports',
  },
  {
    part: 'harness/mutation',
    imports: [
      ...local,
      'harness/campaign',
      'harness/build',
      'harness/profile',
      'harness/report',
      'harness/target',
    ],
    because: 'it runs the rig as a user does, and reads what that reports',
  },
  { part: 'harness/cli', imports: ['harness'], because: 'it is a door to the harness' },
  {
    part: 'fixtures',
    imports: [
      ...local,
      'harness/report/reports-folder.ts',
      'harness/settings.ts',
      'harness/judge',
      'harness/measure',
      'harness/kernel-log',
      'harness/agent',
      'harness/witness',
      'harness/profile',
      'harness/supply',
      'harness/target',
      'harness/build',
    ],
    because: 'fixtures are where the harness meets Playwright; reporters and the command line are elsewhere',
  },
  {
    part: 'tests/conformance',
    imports: ['fixtures', 'harness/judge', 'harness/profile'],
    because: 'a claim reads like a sentence; what it needs, a fixture gives it',
  },
  {
    part: 'tests/bench',
    imports: ['fixtures', 'harness/judge', 'harness/measure', 'harness/profile'],
    because: 'a claim reads like a sentence; what it needs, a fixture gives it',
  },
  {
    part: 'tests/bench/rig',
    imports: ['fixtures', 'harness', 'tests'],
    because: 'it measures the rig, from the outside and from within',
  },
  { part: 'tests/selftest', imports: ['fixtures', 'harness', 'tests'], because: 'it tests the rig itself' },
  { part: 'tests/system', imports: ['fixtures', 'harness', 'tests'], because: 'it tests the whole rig' },
  {
    part: 'tests/system/provoke/playwright.config.ts',
    imports: ['playwright.config.ts'],
    because: 'it is the same but for the suite',
  },
  { part: 'tests/mutation', imports: ['fixtures', 'harness', 'tests'], because: 'it tests the suite itself' },
  {
    part: 'playwright.config.ts',
    imports: [
      'fixtures',
      'harness/report/reports-folder.ts',
      'harness/settings.ts',
      'harness/target/spec.ts',
      'harness/target/guests.ts',
      'harness/target/kept.ts',
      'harness/profile',
    ],
    because: 'it says where to run and what to report',
  },
];

/** Every npm package and the only files or folders that may import it: one door each. */
export interface PackageRule {
  package: string;
  doors: readonly string[];
  /** What to import instead. */
  instead: string;
}

export const packageRules: readonly PackageRule[] = [
  {
    package: '@playwright/test',
    doors: ['fixtures', 'tests/selftest', 'tests/system', 'tests/mutation', 'playwright.config.ts'],
    instead: 'tests about the driver import `test` and `expect` from fixtures/; reporters `import type` only',
  },
  {
    package: 'ssh2',
    doors: ['harness/target/ssh/connection.ts', 'tests/selftest/ssh-server.ts'],
    instead: 'a Connection from harness/target/ssh/connection.ts',
  },
  { package: 'zx', doors: ['harness/cli/shell.ts'], instead: 'harness/process.ts, or harness/cli/shell.ts' },
  {
    package: 'tsx',
    doors: ['harness/cli/bufrig.mjs'],
    instead: 'nothing: Playwright and tsx run TypeScript',
  },
  {
    package: 'echarts',
    doors: ['harness/report/plot.ts'],
    instead: 'drawPlot of harness/report/plot.ts',
  },
  {
    package: 'allure-js-commons',
    doors: ['fixtures'],
    instead: 'annotations, see harness/report/contract.ts',
  },
];
