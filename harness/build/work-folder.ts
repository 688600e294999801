// SPDX-License-Identifier: MIT
/**
 * Where modules for one kernel are built, one after the other: each lays its source over the last
 * one's, so that make compiles only what differs. Between an edit and its verdict lies one file, not
 * a driver. Only a build that went well is built upon; after any other everything is compiled again.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Cache } from './cache.ts';
import { filesBelow } from './content-hash.ts';

/**
 * Makes the folder hold exactly this source, beside what earlier builds left of objects, and builds.
 * @param key names the folder: kernel, compiler, all that make is told
 * @param source directory with the source
 * @param build gets the folder; if it throws, nothing is built upon what it left
 */
export async function inWorkFolder<T>(
  cache: Cache,
  key: string,
  source: string,
  build: (folder: string) => Promise<T>,
): Promise<T> {
  return cache.lock(`work/${key}`, async () => {
    const top = join(cache.root, 'work', key);
    const [folder, intact] = [join(top, 'source'), join(top, 'intact.json')];
    const before = await sourcesIn(intact);
    // Also a build that is killed must not be built upon.
    await rm(before === undefined ? top : intact, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const names = await filesBelow(source);
    for (const name of before ?? []) if (!names.includes(name)) await rm(join(folder, name), { force: true });
    for (const name of names) await layOver(join(source, name), join(folder, name));
    const result = await build(folder);
    // Whole or not at all, also on a full disk.
    await writeFile(`${intact}.new`, JSON.stringify(names));
    await rename(`${intact}.new`, intact);
    return result;
  });
}

/** Leaves a file that is the same as it is: make goes by its time. */
async function layOver(from: string, to: string): Promise<void> {
  const wanted = await contentAndMode(from);
  if (isDeepStrictEqual(wanted, await contentAndMode(to).catch(() => undefined))) return;
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  await writeFile(to, wanted.content, { mode: wanted.mode });
}

async function contentAndMode(path: string): Promise<{ content: Buffer; mode: number }> {
  return { content: await readFile(path), mode: (await stat(path)).mode & 0o777 };
}

/** The source files of the last build, or undefined when there was none, or nothing sound is known of it. */
async function sourcesIn(intact: string): Promise<string[] | undefined> {
  const text = await readFile(intact, 'utf8').catch(() => '');
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : undefined;
  } catch {
    return undefined;
  }
}
