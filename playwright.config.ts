// SPDX-License-Identifier: MIT
/** Where the rig runs (projects) and what comes out (reporters); the one reader of the environment. */
import { join } from 'node:path';
import { defineConfig, type ReporterDescription } from '@playwright/test';
import type { IsolationOption, RigOptions, TestOptions } from './fixtures/options.ts';
import { profileNamed } from './harness/profile/profiles.ts';
import { strategyNames, type DriverProfile, type StrategyName } from './harness/profile/profile.ts';
import { holdReports } from './harness/report/reports-folder.ts';
import { settingsFrom } from './harness/settings.ts';
import { guests, peers } from './harness/target/guests.ts';
import { keptGuest } from './harness/target/kept.ts';
import type { SshSpec, TargetSpec } from './harness/target/spec.ts';

/** Milliseconds for a test on a guest with a usual kernel. */
const TEST_LIMIT = 120_000;

const settings = settingsFrom(process.env, import.meta.dirname);
// Who only lists the tests leaves no reports.
if (!process.argv.includes('--list'))
  settings.reports = await holdReports(settings.reports, process.env, (line) =>
    process.stderr.write(`${line}\n`),
  );
const chosen = await profileNamed(settings.profile);
const own = (reporter: string) => join(import.meta.dirname, 'harness', 'report', `${reporter}.ts`);
const kept = await keptGuest(settings.cacheRoot);
const reports = (name: string) => join(settings.reports, name);

/** Boards that stay. One entry is one machine; `npx bufrig help` names every field's variable. */
const boards: SshSpec[] = [
  // { kind: 'ssh', name: 'zcu102', address: 'ssh://root@zcu102.lab', hostKey: 'SHA256:...', kernelTree: '/srv/zcu102/linux' },
];

export default defineConfig<Pick<TestOptions, 'samples' | 'strategy'> & IsolationOption, RigOptions>({
  testDir: 'tests',
  outputDir: reports('output'),
  forbidOnly: process.env['CI'] !== undefined,
  workers: 2,
  timeout: TEST_LIMIT,
  expect: { timeout: 30_000 },
  use: { settings, profile: settings.profile, isolation: settings.isolation },
  reporter: reporters(),
  projects: [
    { name: 'selftest', testMatch: 'selftest/**/*.spec.ts', fullyParallel: true },
    // Runs the rig itself, with guests of its own; each test takes as long as a run does.
    { name: 'system', testMatch: 'system/**/*.spec.ts', default: false, timeout: 600_000 },
    // Drivers with a defect each; also these run the rig itself.
    {
      name: 'mutation',
      testMatch: 'mutation/**/*.spec.ts',
      default: false,
      fullyParallel: true,
      timeout: 30 * 60_000,
    },
    // `npm run bench`: what the rig and the driver cost; see harness/measure/targets.ts.
    {
      name: 'bench',
      testMatch: 'bench/**/*.spec.ts',
      default: false,
      workers: 1,
      timeout: 30 * 60_000,
      use: { targetSpec: guests[0], samples: 64 },
    },
    ...guests.map((guest, place) => ({ ...driverProject(guest), default: place === 0 })),
    ...boards.map((board) => ({ ...driverProject(board), default: false, workers: 1 })),
    { ...driverProject(settings.board ?? kept?.spec, 'board'), default: false, workers: 1 },
    ...(await Promise.all(
      peers.map(async ({ project, profile, guest }) => ({
        // What a kernel says once in each boot is on record for every test that makes it say so.
        ...driverProject({ isolation: 'test', ...guest }, project, await profileNamed(profile)),
        // What others cost is measured beside contigbuf.
        testMatch: 'conformance/**/*.spec.ts',
        default: false,
      })),
    )),
  ],
});

/** The conformance and bench suites on one target, for the strategies that the profile offers. */
function driverProject(
  targetSpec: TargetSpec | undefined,
  name = targetSpec?.name ?? 'target',
  profile = chosen,
) {
  const absent = strategyNames.filter(
    (strategy) => !offered(profile).includes(strategy) || targetSpec?.without?.includes(strategy),
  );
  return {
    name,
    timeout: TEST_LIMIT * (targetSpec?.slowness ?? 1),
    testMatch: ['conformance/**/*.spec.ts', 'bench/*.spec.ts'],
    use: {
      targetSpec,
      ...(profile === chosen ? {} : { profile: profile.name }),
      isolation: settings.isolation ?? targetSpec?.isolation,
      // For claims that are not made once for each strategy.
      strategy: absent.includes('fd-per-buffer') ? offered(profile)[0] : 'fd-per-buffer',
    },
    grepInvert: [...absent, ...(settings.slow ? [] : ['slow']), 'plot'].map(
      (tag) => new RegExp(`@${tag}\\b`),
    ),
  };
}

function offered({ strategies }: DriverProfile): StrategyName[] {
  return strategyNames.filter((strategy) => strategies[strategy] !== undefined);
}

/** Everything lands in one folder. Order matters: Allure's folder is emptied before it is filled. */
function reporters(): ReporterDescription[] {
  const output = settings.reports;
  return [
    [process.env['CI'] === undefined ? 'list' : 'line'],
    ['html', { outputFolder: reports('html'), open: 'never' }],
    ['json', { outputFile: reports('results.json') }],
    ['junit', { outputFile: reports('junit.xml') }],
    [own('ktap'), { output }],
    [own('allure'), { output }],
    ['allure-playwright', { resultsDir: reports('allure-results') }],
    [own('measurements'), { output }],
    [own('coverage'), { output }],
    [own('module-coverage'), { output }],
    [own('summary'), { output }],
  ];
}
