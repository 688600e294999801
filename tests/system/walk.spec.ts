// SPDX-License-Identifier: MIT
/** harness/profile/README.md, followed to the letter: a driver that is not the rig's gets its verdict. */
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect } from '@playwright/test';
import { test } from './system-test.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Files of the walk, each announced by its path on a line of its own. */
function filesIn(text: string): { path: string; content: string }[] {
  const blocks = text.matchAll(/^`(\S+)`\n\n```\w+\n([^]*?)^```$/gm);
  return [...blocks].map(([, path = '', content = '']) => ({ path, content }));
}

/** The arguments of the first command that the walk runs. */
function firstRun(text: string): { profile: string; project: string; grep: string } {
  const line = /^BUFRIG_PROFILE=(\S+) npx playwright test --project=(\S+) --grep "([^"]+)"$/m.exec(text);
  const [, profile = '', project = '', grep = ''] = line ?? [];
  return { profile, project, grep };
}

test('the walk through a profile of one’s own ends with a verdict', async ({ rig }) => {
  const text = await readFile(join(checkout, 'harness/profile/README.md'), 'utf8');
  const files = filesIn(text);
  expect(files.map(({ path }) => path)).toEqual([
    'pagebox/pagebox.c',
    'pagebox/Kbuild',
    'pagebox/profile.mts',
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'bufrig-walk-'));
  try {
    await symlink(checkout, join(folder, 'bufrig'));
    for (const { path, content } of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    const { profile, project, grep } = firstRun(text);
    const env = { BUFRIG_PROFILE: join(folder, 'bufrig', profile) };
    const { code, summary, output } = await rig.run({ project, grep, env });
    expect(summary.red, output).toEqual([]);
    expect(code).toBe(0);
    expect(summary.drivers).toMatchObject([{ profile: 'pagebox', version: 'of this page' }]);
    expect(summary.claims).toMatchObject({ fail: 0, deviates: 0 });
    expect(summary.claims.pass).toBeGreaterThan(10);

    // And a mistake is found: the check of the offset, which the text has, goes.
    const source = join(folder, 'pagebox/pagebox.c');
    const broken = (await readFile(source, 'utf8')).replace('vma_pages(vma) > pages - first', 'false');
    await writeFile(source, broken);
    const again = await rig.run({ project, grep: 'BND-04', env });
    expect(again.summary.red.map(({ claim, verdict }) => `${claim} ${verdict}`)).toEqual(['BND-04 fail']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
