// SPDX-License-Identifier: MIT
/** The cache: nothing half-made is ever seen, one builder at a time, and the dead leave nothing behind. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { Cache } from '../../harness/build/cache.ts';
import { contentKey } from '../../harness/build/content-hash.ts';
import { endOf, startOwned, type Ending } from '../../harness/process.ts';

const cacheModule = fileURLToPath(new URL('../../harness/build/cache.ts', import.meta.url));

interface Builder {
  ended: Promise<Ending>;
  output: () => string;
  kill: () => void;
}

const test = base.extend<{
  /** Starts a process that asks the cache in `root` for an entry and builds it by `work`: JavaScript, given `directory`. */
  startBuilder: (root: string, work: string) => Builder;
}>({
  startBuilder: async ({}, use) => {
    const children: ChildProcess[] = [];
    await use((root, work) => {
      const script = `
        import { appendFileSync, writeFileSync } from 'node:fs';
        import { Cache } from ${JSON.stringify(cacheModule)};
        const cache = new Cache(${JSON.stringify(root)}, { onProgress: (line) => console.log(line) });
        const path = await cache.entry('kind', 'key', async (directory) => { ${work} });
        console.log('entry ' + path);`;
      const argv = ['--import', 'tsx', '--input-type=module', '--eval', script];
      const child = startOwned([process.execPath, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      let output = '';
      child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      return { ended: endOf(child, 'builder'), output: () => output, kill: () => child.kill('SIGKILL') };
    });
    for (const child of children) child.kill('SIGKILL');
  },
});

test('an entry is built once and then found', async ({}, info) => {
  const cache = new Cache(info.outputPath());
  let builds = 0;
  const build = async (directory: string) => {
    builds += 1;
    await writeFile(join(directory, 'file'), 'content');
  };
  const first = await cache.entry('kind', 'key', build);
  expect(await cache.entry('kind', 'key', build)).toBe(first);
  expect(await cache.keys('kind')).toEqual(['key']);
  expect(await cache.keys('another')).toEqual([]);
  expect(await readFile(join(first, 'file'), 'utf8')).toBe('content');
  expect(builds).toBe(1);
});

test('a build that fails leaves no entry and no temporary', async ({}, info) => {
  const cache = new Cache(info.outputPath());
  const failing = cache.entry('kind', 'key', async (directory) => {
    await writeFile(join(directory, 'half'), '');
    throw new Error('no such compiler');
  });
  await expect(failing).rejects.toThrow('no such compiler');
  expect(await readdir(info.outputPath('kind')).catch(() => [])).toEqual([]);
  expect(await readdir(info.outputPath('tmp'))).toEqual([]);
});

test('of two processes that ask at once one builds and the other waits', async ({ startBuilder }, info) => {
  const log = info.outputPath('builds');
  await mkdir(info.outputPath(), { recursive: true });
  const work = `
    appendFileSync(${JSON.stringify(log)}, 'built ');
    writeFileSync(directory + '/first', '');
    await new Promise((resolve) => setTimeout(resolve, 500));
    writeFileSync(directory + '/second', '');`;
  const builders = [
    startBuilder(info.outputPath('cache'), work),
    startBuilder(info.outputPath('cache'), work),
  ];
  for (const { ended } of builders) expect(await ended).toEqual({ code: 0, signal: null });
  expect(await readFile(log, 'utf8')).toBe('built ');
  for (const { output } of builders) expect(output()).toContain(`entry ${info.outputPath('cache/kind/key')}`);
  expect(await readdir(info.outputPath('cache/kind/key'))).toEqual(['first', 'second']);
});

test('a builder that is killed leaves nothing that counts, and the next one sweeps it up', async ({
  startBuilder,
}, info) => {
  const root = info.outputPath('cache');
  const hung = startBuilder(
    root,
    `writeFileSync(directory + '/half', ''); console.log('begun'); setInterval(() => {}, 1000); await new Promise(() => {});`,
  );
  await expect.poll(hung.output).toContain('begun');
  hung.kill();
  expect((await hung.ended).signal).toBe('SIGKILL');
  expect(await readdir(join(root, 'tmp'))).toHaveLength(1);

  const cache = new Cache(root);
  const path = await cache.entry('kind', 'key', (directory) => writeFile(join(directory, 'whole'), ''));
  expect(await readdir(path)).toEqual(['whole']);
  expect(await readdir(join(root, 'tmp'))).toEqual([]);
});

test('the temporaries of a living process are left alone', async ({}, info) => {
  const root = info.outputPath();
  await new Cache(root).scratch(async (directory) => {
    await writeFile(join(directory, 'in use'), '');
    await new Cache(root).scratch(() => Promise.resolve());
    expect(await readdir(directory)).toEqual(['in use']);
  });
});

test('a record is remembered, asked anew on demand, and replaced when it makes no sense', async ({}, info) => {
  const cache = new Cache(info.outputPath());
  let asked = 0;
  const question = {
    compute: () => Promise.resolve(`answer ${(asked += 1)}`),
    isValid: (value: unknown): value is string => typeof value === 'string',
  };
  expect(await cache.record('kind', 'key', question)).toBe('answer 1');
  expect(await cache.record('kind', 'key', question)).toBe('answer 1');
  expect(await cache.record('kind', 'key', { ...question, refresh: true })).toBe('answer 2');
  await writeFile(info.outputPath('kind/key.json'), '{"from": "another version"}');
  expect(await cache.record('kind', 'key', question)).toBe('answer 3');
  await writeFile(info.outputPath('kind/key.json'), '"cut o');
  expect(await cache.record('kind', 'key', question)).toBe('answer 4');
});

test('keys tell where one part ends and the next begins', () => {
  expect(contentKey('ab', 'c')).not.toBe(contentKey('a', 'bc'));
  expect(contentKey('ab', 'c')).toBe(contentKey('ab', Buffer.from('c')));
});
