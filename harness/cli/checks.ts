// SPDX-License-Identifier: MIT
/** What `doctor` looks at: each check gives what it found, and the way out when that is not good enough. */
import { constants } from 'node:fs';
import { access, mkdir, readFile, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { hostRepositories } from '../build/apt.ts';
import { hostArchitecture } from '../build/architectures.ts';
import { hostNeeds, installCommand, unmet } from '../build/host.ts';
import { compilerFor } from '../build/compiler.ts';
import { messageOf, RigError } from '../errors.ts';
import { runOk } from '../process.ts';
import { abandonedGuestFolders } from '../target/qemu/run-folder.ts';
import { DEFAULT_GUEST } from './set-up.ts';
import type { Context } from './verb.ts';

/** `note`: works, but somebody should know. */
export type Grade = 'ok' | 'note' | 'bad';

export interface Diagnosis {
  grade: Grade;
  found: string;
  fix?: string;
}

export interface Check {
  name: string;
  look(context: Context): Promise<Diagnosis>;
}

/** Room that kernel, packages and builds of one guest take, in bytes; measured 0.6 GB. */
const CACHE_BYTES = 1.5e9;

export const checks: readonly Check[] = [
  {
    name: 'node',
    // bufrig.mjs refuses older ones before it gets here.
    look: () => Promise.resolve({ grade: 'ok', found: process.versions.node }),
  },
  { name: 'debian', look: lookAtSources },
  { name: 'host packages', look: lookAtPackages },
  { name: 'compiler', look: lookAtCompiler },
  { name: 'qemu', look: lookAtQemu },
  { name: 'cache', look: lookAtCache },
  { name: 'offline', look: lookAtResolved },
  { name: 'kvm', look: lookAtKvm },
  { name: 'leftovers', look: lookAtLeftovers },
];

/** Runs one check; one that throws found something bad. */
export async function diagnose(check: Check, context: Context): Promise<Diagnosis> {
  try {
    return await check.look(context);
  } catch (error) {
    const fix = error instanceof RigError ? error.hint : undefined;
    const found = messageOf(error).replace(/\nTry: .*/s, '');
    return { grade: 'bad', found, ...(fix === undefined ? {} : { fix }) };
  }
}

async function lookAtSources(): Promise<Diagnosis> {
  const { codename, repositories } = await hostRepositories();
  const suites = repositories.flatMap((repository) => repository.suites);
  return { grade: 'ok', found: `${codename}, with sources for ${[...new Set(suites)].join(' ')}` };
}

async function lookAtPackages({ searchPath }: Context): Promise<Diagnosis> {
  const needs = hostNeeds([DEFAULT_GUEST.architecture]);
  const missing = await unmet(needs, searchPath);
  if (missing.length === 0) return { grade: 'ok', found: `all ${needs.length} needs are met` };
  return {
    grade: 'bad',
    found: missing.map(({ provides, purpose }) => `no ${provides}, needed to ${purpose}`).join('; '),
    fix: `sudo ${installCommand(missing).join(' ')}`,
  };
}

async function lookAtCompiler(): Promise<Diagnosis> {
  const { version } = await compilerFor(DEFAULT_GUEST.architecture);
  return { grade: 'ok', found: version };
}

async function lookAtQemu(): Promise<Diagnosis> {
  const { stdout } = await runOk(['qemu-system-aarch64', '--version']);
  return { grade: 'ok', found: stdout.split('\n')[0] ?? '' };
}

async function lookAtCache({ settings }: Context): Promise<Diagnosis> {
  const { cacheRoot } = settings;
  await mkdir(cacheRoot, { recursive: true });
  await access(cacheRoot, constants.W_OK);
  const { bavail, bsize } = await statfs(cacheRoot);
  const found = `${cacheRoot}, ${((bavail * bsize) / 1e9).toFixed(1)} GB free`;
  if (bavail * bsize >= CACHE_BYTES) return { grade: 'ok', found };
  return { grade: 'bad', found, fix: 'make room, or set BUFRIG_CACHE to a folder on another disk' };
}

async function lookAtResolved({ settings }: Context): Promise<Diagnosis> {
  const kernels = await readdir(join(settings.cacheRoot, 'kernel')).catch(() => []);
  if (kernels.length > 0) return { grade: 'ok', found: `kernels in the cache: ${kernels.join(' ')}` };
  return {
    grade: 'note',
    found: 'no kernel in the cache: the first run needs the network',
    fix: 'npx bufrig setup',
  };
}

async function lookAtKvm({ settings }: Context): Promise<Diagnosis> {
  if (hostArchitecture() !== DEFAULT_GUEST.architecture) {
    return {
      grade: 'note',
      found: `not for ${DEFAULT_GUEST.architecture} guests here; they run in software`,
    };
  }
  const folder = join(settings.cacheRoot, 'kvm');
  const answers = await readdir(folder).catch(() => []);
  const last = answers.at(-1);
  if (last === undefined) return { grade: 'note', found: 'not tried yet; the first guest tells' };
  const works = (await readFile(join(folder, last), 'utf8')).trim() === 'true';
  return works
    ? { grade: 'ok', found: 'a guest made progress under it' }
    : {
        grade: 'note',
        found: 'no guest makes progress under it; guests run in software, 3 to 6 times slower',
      };
}

/** Folders of guests whose rig is gone. */
async function lookAtLeftovers(): Promise<Diagnosis> {
  const abandoned = await abandonedGuestFolders();
  if (abandoned.length === 0) return { grade: 'ok', found: 'none' };
  return { grade: 'note', found: abandoned.join(' '), fix: 'the next run removes them' };
}
