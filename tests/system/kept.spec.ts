// SPDX-License-Identifier: MIT
/** A guest that is kept up between runs: the suite finds it, and nothing of it is left when it is down. */
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../harness/process.ts';
import { settingsFrom } from '../../harness/settings.ts';
import { keptGuest } from '../../harness/target/kept.ts';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

test('npx bufrig up, a run on --project=board, npx bufrig down', async ({ rig }, info) => {
  const root = await cacheOfItsOwn(info.outputPath('cache'));
  const env = { ...process.env, BUFRIG_CACHE: root };
  const bufrig = (verb: string) =>
    run([process.execPath, join(projectFolder, 'harness/cli/bufrig.mjs'), verb], { env });
  const up = await bufrig('up');
  expect(up.stdout, up.stderr).toContain('is up');
  const kept = await keptGuest(root);
  expect(kept, 'the guest that is up').toBeDefined();
  try {
    const result = await rig.run({
      project: 'board',
      grep: '@fd-per-buffer GEO-01',
      env: { BUFRIG_CACHE: root },
    });
    expect(result.summary.claims.pass, result.output).toBe(1);
    expect(result.output).toContain('qemu-arm64-kept');
    expect((await bufrig('up')).stdout, 'a second one').toContain(kept?.spec.address.slice(-5));
  } finally {
    expect((await bufrig('down')).stdout).toContain('is down');
  }
  expect(await keptGuest(root)).toBeUndefined();
  const shell = await run([
    'ssh',
    '-o',
    'BatchMode=yes',
    '-p',
    new URL(kept?.spec.address ?? '').port,
    '127.0.0.1',
  ]);
  expect(shell.stderr, 'whoever asks there now').toContain('refused');
});

/** What is expensive is the user's; the guest that he keeps is not. */
async function cacheOfItsOwn(root: string): Promise<string> {
  const { cacheRoot } = settingsFrom(process.env, projectFolder);
  await mkdir(root, { recursive: true });
  for (const name of await readdir(cacheRoot)) {
    if (!/^(tmp|kept\..*)$/.test(name)) await symlink(join(cacheRoot, name), join(root, name));
  }
  return root;
}
