// SPDX-License-Identifier: MIT
/** Names for cache entries, made from everything that goes into them. */
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** 128 bits of SHA-256 over the parts, in hex. Where one part ends is part of what is hashed. */
export function contentKey(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Every regular file below `directory`, as paths relative to it, sorted. Hidden files are left out. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').some((part) => part.startsWith('.')))
    .toSorted();
}

/** A key for the names and contents of all files below `directory`. */
export async function directoryKey(directory: string): Promise<string> {
  const parts: (string | Buffer)[] = [];
  for (const path of await filesBelow(directory)) parts.push(path, await readFile(join(directory, path)));
  return contentKey(...parts);
}
