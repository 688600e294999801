// SPDX-License-Identifier: MIT
/** 64 MiB put on a guest, against scp over a connection that stands already; and put there again. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import { OpenSsh } from './openssh.ts';

const BYTES = 64 * 1024 * 1024;
const SAMPLES = 6;

test('deploy: 64 MiB against scp', async ({ boot, record }, testInfo) => {
  const target = await boot();
  const openssh = await OpenSsh.connect(target);
  await OpenSsh.provideScp(target);
  const taken: Record<'put' | 'again' | 'copy', number[]> = { put: [], again: [], copy: [] };
  for (let sample = 0; sample < SAMPLES; sample++) {
    const content = randomBytes(BYTES);
    const file = testInfo.outputPath('content');
    await writeFile(file, content);
    let path = '';
    taken.put.push(
      await timed(async () => {
        path = await target.put(content, 'content');
      }),
    );
    taken.again.push(await timed(() => target.put(content, 'content')));
    await target.execOk(['rm', path]);
    taken.copy.push(await timed(() => openssh.copy(file, '/tmp/content')));
    await target.execOk(['rm', '/tmp/content']);
  }
  await openssh.close();
  const baseline = { title: 'scp over a shared connection', samples: taken.copy };
  const common = { unit: 'ms', better: 'lower', baseline } as const;
  await record(target.facts, { ...common, id: 'deploy', title: '64 MiB that are new', samples: taken.put });
  await record(target.facts, {
    ...common,
    id: 'deploy/again',
    title: '64 MiB that are there already',
    samples: taken.again,
  });
});
