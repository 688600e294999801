// SPDX-License-Identifier: MIT
/**
 * A directory of things that are expensive to make and never change once made: packages, unpacked
 * kernels, built modules. An entry is named by what went into it, is built aside and appears under
 * its name in one rename, so a reader never sees half of one and a killed builder leaves nothing
 * that counts. Records are the small mutable part: answers worth remembering until asked anew.
 */
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAlive, ownIdentity } from '../process-identity.ts';
import { withLock } from '../lock.ts';

export interface CacheOptions {
  /** Called with one line when something slow begins: a download, a build, waiting for another process. */
  onProgress?: (line: string) => void;
}

export interface Question<T> {
  /** Gives a value that survives JSON. */
  compute: () => Promise<T>;
  /** Tells an answer of this version of the rig from anything else that may lie there. */
  isValid: (answer: unknown) => answer is T;
  refresh?: boolean;
}

export class Cache {
  readonly root: string;
  readonly #onProgress: (line: string) => void;
  #swept = false;

  /** @param root directory of the cache; made when first needed */
  constructor(root: string, options: CacheOptions = {}) {
    this.root = root;
    this.#onProgress = options.onProgress ?? (() => {});
  }

  /** Says that something slow begins. */
  progress(line: string): void {
    this.#onProgress(line);
  }

  /**
   * The directory of the entry `<kind>/<key>`, built by `build` if it is not there yet. `build` gets
   * an empty directory that becomes the entry if it succeeds; it must not keep that path, which changes.
   * Two processes asking at once: one builds, the other waits.
   * @param key a content hash or a resolved version: the same key must always mean the same content
   */
  async entry(kind: string, key: string, build: (directory: string) => Promise<void>): Promise<string> {
    const path = join(this.root, kind, key);
    if (await exists(path)) return path;
    return this.lock(`${kind}/${key}`, async () => {
      if (await exists(path)) return path;
      await this.scratch(async (directory) => {
        await build(directory);
        await publish(directory, path);
      });
      return path;
    });
  }

  /** The keys of the entries of one kind that are there. */
  async keys(kind: string): Promise<string[]> {
    return readdir(join(this.root, kind)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    });
  }

  /**
   * The remembered answer `<kind>/<key>`, computed if there is none or `refresh` is set. An answer
   * that cannot be read or is not `isValid` is computed again.
   */
  async record<T>(kind: string, key: string, question: Question<T>): Promise<T> {
    const path = join(this.root, kind, `${key}.json`);
    const known: unknown = question.refresh === true ? undefined : await readJson(path);
    if (question.isValid(known)) return known;
    const value = await question.compute();
    await this.scratch(async (directory) => {
      const draft = join(directory, 'record');
      await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`);
      await mkdir(dirname(path), { recursive: true });
      await rename(draft, path);
    });
    return value;
  }

  /** Runs `work` while no other process does anything under the same name in this cache. */
  lock<T>(name: string, work: () => Promise<T>): Promise<T> {
    return withLock(join(this.root, name), work, () => {
      this.progress(`waiting for another process to finish ${name}`);
    });
  }

  /** Runs `work` with an empty directory on the cache's file system and removes it afterwards. */
  async scratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
    const parent = join(this.root, 'tmp');
    await mkdir(parent, { recursive: true });
    if (!this.#swept) {
      this.#swept = true;
      await sweep(parent);
    }
    const owned = await mkdtemp(join(parent, `${ownIdentity()}-`));
    const directory = join(owned, 'new');
    await mkdir(directory);
    try {
      return await work(directory);
    } finally {
      await rm(owned, { recursive: true, force: true });
    }
  }
}

/** Moves a finished directory to its name. Losing the race to another builder is fine: same key, same content. */
async function publish(directory: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await rename(directory, path);
  } catch (error) {
    const lost = error instanceof Error && 'code' in error && /^(ENOTEMPTY|EEXIST)$/.test(String(error.code));
    if (!lost) throw error;
  }
}

/** Removes the temporaries of processes that are gone; those whose life cannot be seen from here go after a day. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    const alive = isAlive(name.split('-').slice(0, 3).join('-')) ?? !(await isOlderThanADay(path));
    if (!alive) await rm(path, { recursive: true, force: true });
  }
}

async function isOlderThanADay(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > 24 * 3600 * 1000;
  } catch {
    return false;
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
