// SPDX-License-Identifier: MIT
/** The one guest that is kept up between runs, by a process of its own: a note in the cache tells of it. */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import { isAlive, ownIdentity } from '../process-identity.ts';
import type { SshSpec } from './spec.ts';

export interface KeptGuest {
  /** How runs reach it: like any machine that is up. */
  spec: SshSpec;
  /** Kernel release, for people. */
  release: string;
  /** Path of the console's record. */
  console: string;
  /** The process that keeps it, see process-identity.ts. */
  keeper: string;
  pid: number;
}

const noteIn = (cacheRoot: string): string => join(cacheRoot, 'kept.json');

/** The guest that is up, or undefined; a note whose process is gone is no guest. */
export async function keptGuest(cacheRoot: string): Promise<KeptGuest | undefined> {
  const text = await readFile(noteIn(cacheRoot), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const kept = JSON.parse(text) as KeptGuest;
  return isAlive(kept.keeper) === true ? kept : undefined;
}

/** Tells others of the guest that this process keeps. @throws LabError `ALREADY_UP` */
export async function noteKept(cacheRoot: string, guest: Omit<KeptGuest, 'keeper' | 'pid'>): Promise<void> {
  if ((await keptGuest(cacheRoot)) === undefined) await forgetKept(cacheRoot);
  const kept: KeptGuest = { ...guest, keeper: ownIdentity(), pid: process.pid };
  await mkdir(cacheRoot, { recursive: true });
  const draft = `${noteIn(cacheRoot)}.${kept.keeper}`;
  await writeFile(draft, JSON.stringify(kept), { mode: 0o600 });
  try {
    // Whole at once, since every run reads it; and only one of two that start at once may be the one.
    await link(draft, noteIn(cacheRoot));
  } catch (cause) {
    throw new LabError('ALREADY_UP', 'another guest is kept up already', { cause, hint: 'npx bufrig down' });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes the note, unless another process that lives keeps a guest. @param keeper whose it was, see process-identity.ts */
export async function forgetKept(cacheRoot: string, keeper = ownIdentity()): Promise<void> {
  const kept = await keptGuest(cacheRoot);
  if (kept === undefined || kept.keeper === keeper) await rm(noteIn(cacheRoot), { force: true });
}
