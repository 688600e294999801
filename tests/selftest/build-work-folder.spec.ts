// SPDX-License-Identifier: MIT
/** What one build of a module leaves for the next one, and what it must not leave. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { Cache } from '../../harness/build/cache.ts';
import { inWorkFolder } from '../../harness/build/work-folder.ts';

/** Builds the source as it is now; the "object" it leaves is how the next build sees that it was there. */
interface Workshop {
  write(files: Record<string, string>): Promise<void>;
  remove(name: string): Promise<void>;
  build(fails?: boolean): Promise<{ found: string; ages: Record<string, number> }>;
  /** The file that says what the last build was made from. */
  note: string;
}

const test = base.extend<{ workshop: Workshop }>({
  workshop: async ({}, use, info) => {
    const cache = new Cache(info.outputPath('cache'));
    const source = info.outputPath('source');
    await mkdir(join(source, 'sub'), { recursive: true });
    await use({
      async write(files) {
        for (const [name, text] of Object.entries(files)) await writeFile(join(source, name), text);
      },
      remove: (name) => rm(join(source, name)),
      note: join(cache.root, 'work', 'key', 'intact.json'),
      build: (fails = false) =>
        inWorkFolder(cache, 'key', source, async (folder) => {
          const found = await readFile(join(folder, 'object.o'), 'utf8').catch(() => 'nothing');
          await writeFile(join(folder, 'object.o'), 'an object');
          if (fails) throw new Error('it does not compile');
          const ages: Record<string, number> = {};
          for (const name of ['a.c', 'b.c', 'sub/c.h']) {
            const file = await stat(join(folder, name)).catch(() => undefined);
            if (file !== undefined) ages[name] = file.mtimeMs;
          }
          return { found, ages };
        }),
    });
  },
});

test('a build finds what the last one left; only what was changed is newer, and what was removed is gone', async ({
  workshop,
}) => {
  await workshop.write({ 'a.c': 'a', 'b.c': 'b', 'sub/c.h': 'c' });
  const first = await workshop.build();
  expect(first.found).toBe('nothing');
  await workshop.write({ 'a.c': 'a', 'b.c': 'another' });
  await workshop.remove('sub/c.h');
  const second = await workshop.build();
  expect(second.found).toBe('an object');
  expect(second.ages['a.c']).toBe(first.ages['a.c']);
  expect(second.ages['b.c']).toBeGreaterThan(first.ages['b.c'] ?? Number.NaN);
  expect(Object.keys(second.ages)).toEqual(['a.c', 'b.c']);
  // Back to what it was is a change, too.
  await workshop.write({ 'b.c': 'b' });
  expect((await workshop.build()).ages['b.c']).toBeGreaterThan(second.ages['b.c'] ?? Number.NaN);
});

test('nothing is built upon a build that failed', async ({ workshop }) => {
  await workshop.write({ 'a.c': 'a' });
  await workshop.build();
  await expect(workshop.build(true)).rejects.toThrow('it does not compile');
  expect((await workshop.build()).found).toBe('nothing');
});

test('nor upon one of which a full disk has left half a note', async ({ workshop }) => {
  await workshop.write({ 'a.c': 'a' });
  await workshop.build();
  for (const half of ['', '["a.']) {
    await writeFile(workshop.note, half);
    expect((await workshop.build()).found).toBe('nothing');
  }
  expect((await workshop.build()).found).toBe('an object');
});
