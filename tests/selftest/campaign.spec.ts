// SPDX-License-Identifier: MIT
/** What campaigns share: runs that do not meet, runs that end when they are told to, and tables that are whole. */
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { Cache } from '../../harness/build/cache.ts';
import { runSuite } from '../../harness/campaign/suite-run.ts';
import { TableFiles } from '../../harness/campaign/table-files.ts';
import { uncontrolledChecks, type CampaignOptions } from '../../harness/mutation/campaign.ts';
import { DIFF, HEAD, mutant } from './described-mutant.ts';

const test = base.extend<{
  /** A checkout whose Playwright is this script of /bin/sh. @returns its path */
  checkoutWith: (script: string) => Promise<string>;
}>({
  checkoutWith: async ({}, use, info) => {
    await use(async (script) => {
      const bin = info.outputPath('checkout', 'node_modules', '.bin');
      await mkdir(bin, { recursive: true });
      const playwright = join(bin, 'playwright');
      await writeFile(playwright, `#!/bin/sh\n${script}`);
      await chmod(playwright, 0o755);
      return info.outputPath('checkout');
    });
  },
});

/** Both have begun before either has anything to say; each passes the check of its selection. */
const SLOW_RUN = `
mkdir -p "$BUFRIG_REPORTS"
sleep 0.5
check=BND-01
case "$*" in *BND-04*) check=BND-04 ;; esac
echo '{"colour": "green", "red": [], "errors": []}' > "$BUFRIG_REPORTS/summary.json"
echo '{"rows": [{"id": "'$check'", "verdicts": {"pass": 1}}]}' > "$BUFRIG_REPORTS/coverage.json"
`;

test('the driver as it is runs in a folder of its own for each setting, also on one guest', async ({
  checkoutWith,
}, info) => {
  const options: CampaignOptions = {
    ...{ project: await checkoutWith(SLOW_RUN), folder: info.outputPath('runs'), workers: 2 },
    ...{ full: false, stopEarly: false, signal: new AbortController().signal, environment: process.env },
    ...{ cache: new Cache(info.outputPath('cache')), searchPath: [] },
    ...{ onResult: () => Promise.resolve(), onProgress: () => {} },
  };
  const one = HEAD.replace(' BND-04', '').trim();
  const mutants = [
    mutant(`${one}\n\n${DIFF}`),
    mutant(`${one.replace('BND-01', 'BND-04')}\nAppend: slub_debug=FZPU\n\n${DIFF}`),
  ];
  expect(await uncontrolledChecks(mutants, options)).toEqual({});
  expect(await readdir(options.folder)).toEqual(['control-1-qemu-arm64', 'control-2-qemu-arm64']);
});

test('a run that begins after Ctrl-C ends at once', async ({ checkoutWith }, info) => {
  const project = await checkoutWith('exec sleep 100\n');
  const { said, ending } = await runSuite({
    ...{ project, guest: 'qemu-arm64', append: [], slow: false, workers: 1, environment: process.env },
    ...{ folder: info.outputPath('run'), signal: AbortSignal.abort() },
  });
  expect(said).toBe('');
  expect(ending).toEqual({ code: null, signal: 'SIGINT' });
});

test('a table is written in the order of its changes, and what could not be written leaves the last one', async ({}, info) => {
  const reports = info.outputPath('reports');
  const table = new TableFiles(reports, 'soak');
  await Promise.all([1, 2, 3].map((round) => table.write({ round }, `round ${round}\n`)));
  expect(JSON.parse(await readFile(table.data, 'utf8'))).toEqual({ round: 3 });
  expect(await readFile(table.text, 'utf8')).toBe('round 3\n');
  // Nobody can write there, as on a disk that is full.
  await mkdir(`${table.data}.new`);
  await expect(table.write({ round: 4 }, 'round 4\n')).rejects.toThrow('EISDIR');
  expect(JSON.parse(await readFile(table.data, 'utf8'))).toEqual({ round: 3 });
  expect(await readFile(table.text, 'utf8')).toBe('round 3\n');
});
