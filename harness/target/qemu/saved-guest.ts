// SPDX-License-Identifier: MIT
/**
 * A guest that was booted once and saved: everything up to an SSH server that listens, nothing of a
 * driver. It lies in the cache under all that went into it: kernel, file system, agent, QEMU and its
 * command line, and the host's boot, for the RAM file is not synced to the disk and so worth nothing
 * after a crash of the host.
 *
 * The login key and, in the RAM file, the guest's host key lie there too, for all copies of a guest.
 * That gives nobody a door: the copies listen on the loopback interface only, the folder is the
 * user's alone, and who can read it there can also read and trace every process of that user.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cache } from '../../build/cache.ts';
import { contentKey } from '../../build/content-hash.ts';
import type { Deadline } from '../../deadline.ts';
import { LabError, messageOf } from '../../errors.ts';
import { Undo } from '../../undo.ts';
import type { MachineFacts } from '../ssh/facts.ts';
import { bootGuest } from './boot.ts';
import { commandLine } from './guest.ts';
import { guestOptions, layOut, ramBytes, type GuestFiles, type Recipe } from './recipe.ts';
import { RunFolder } from './run-folder.ts';

/** Changes when a state is saved, kept or restored in another way than before. */
const FORMAT = 'saved-guest-2';
const KIND = 'guest';
/** Places of the RAM file, evenly spread, that are compared before each use: 2 ms. */
const SAMPLES = 256;
const SAMPLE_BYTES = 4096;
/** Saved guests that are kept, the most recently used ones; each has the size of its RAM. */
const KEPT = 6;

/** What a saved guest must be like to be used. */
interface Manifest {
  format: string;
  fingerprint: string;
  machine: MachineFacts;
  stateSha256: string;
  ramBytes: number;
  /** SHA-256 over the samples. */
  ramSample: string;
}

export interface SavedGuest {
  directory: string;
  files: GuestFiles;
  /** Path of the RAM as it was; never written to. */
  ram: string;
  /** Devices and processors. */
  state: Buffer;
  /** What the guest said about itself; it has not been asked for its boot id. */
  machine: MachineFacts;
}

/** Asks a restored copy of a guest what it is. */
export type Examine = (saved: Omit<SavedGuest, 'machine'>) => Promise<MachineFacts>;

/**
 * The saved guest of a recipe, made if there is none or if the one there is damaged.
 * @throws LabError those of booting, `SAVED_STATE`
 */
export async function savedGuest(
  recipe: Recipe,
  cache: Cache,
  deadline: Deadline,
  examine: Examine,
  announce: (line: string) => void,
): Promise<SavedGuest> {
  const key = await keyOf(recipe);
  for (let tries = 1; ; tries += 1) {
    let made = false;
    const directory = await cache.entry(KIND, key, async (scratch) => {
      made = true;
      cache.progress(`booting ${recipe.spec.name} once, to save it`);
      await make(recipe, scratch, deadline, examine);
    });
    if (made) await prune(cache, directory);
    try {
      return await read(directory);
    } catch (error) {
      announce(`${recipe.spec.name}: the saved guest is damaged, making it anew: ${messageOf(error)}`);
      await discard(cache, directory);
      if (tries === 2) throw error;
    }
  }
}

/** Removes a saved guest; copies of it that run are not concerned. */
export async function discard(cache: Cache, directory: string): Promise<void> {
  await cache.lock(`${KIND}/${basename(directory)}`, () => rm(directory, { recursive: true, force: true }));
}

/** A name for everything that decides whether a saved state fits. */
export async function keyOf(recipe: Recipe): Promise<string> {
  const { qemuVersion, kernel, initramfs, agent } = recipe;
  const options = guestOptions(recipe, 'initramfs', { file: 'ram', as: 'file' });
  const hostBoot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  const argv = commandLine({ file: (name) => name }, options);
  return contentKey(FORMAT, hostBoot, qemuVersion, kernel.package.sha256, initramfs, agent.sha256, ...argv);
}

/** @throws LabError `SAVED_STATE` saying what is not as it was */
export async function insistOnSound(directory: string): Promise<void> {
  await read(directory);
}

async function make(recipe: Recipe, directory: string, deadline: Deadline, examine: Examine): Promise<void> {
  await chmod(directory, 0o700);
  const undo = new Undo();
  try {
    const files = await layOut(recipe, directory);
    const ram = join(directory, 'ram');
    // Not in the cache from the start: a guest that boots would wait for the disk again and again.
    const folder = await RunFolder.create(ramBytes(recipe));
    undo.add("remove the guest's folder", () => folder.dispose());
    const options = guestOptions(recipe, files.initramfs, { file: folder.file('ram'), as: 'file' });
    const guest = await bootGuest(recipe, folder, options, deadline);
    undo.add('stop QEMU', () => guest.kill());
    const state = await guest.save(deadline);
    await guest.kill();
    await copyFile(folder.file('ram'), ram);
    await undo.run();
    await chmod(ram, 0o600);
    await writeFile(join(directory, 'state'), state, { mode: 0o600 });
    const machine = await examine({ directory, files, ram, state });
    const { size } = await stat(ram);
    const manifest: Manifest = {
      format: FORMAT,
      fingerprint: files.fingerprint,
      machine: { ...machine, bootId: '' },
      stateSha256: sha256(state),
      ramBytes: size,
      ramSample: await sampleOf(ram, size),
    };
    await writeFile(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  } finally {
    await undo.run();
  }
}

/** @throws LabError `SAVED_STATE` saying what is not as it was */
async function read(directory: string): Promise<SavedGuest> {
  const at = (name: string): string => join(directory, name);
  const damaged = (what: string): LabError => new LabError('SAVED_STATE', `${directory}: ${what}`);
  const manifest = await readFile(at('manifest.json'), 'utf8')
    .then((text) => JSON.parse(text) as Manifest)
    .catch((error: unknown) => {
      throw damaged(messageOf(error));
    });
  const state = await readFile(at('state')).catch(() => Buffer.alloc(0));
  const size = await stat(at('ram')).then(
    (found) => found.size,
    () => 0,
  );
  if (sha256(state) !== manifest.stateSha256) throw damaged('the state of its devices has changed');
  if (size !== manifest.ramBytes)
    throw damaged(`its RAM file has ${size} bytes and had ${manifest.ramBytes}`);
  if ((await sampleOf(at('ram'), size)) !== manifest.ramSample) throw damaged('its RAM file has changed');
  const now = new Date();
  await utimes(at('manifest.json'), now, now);
  return {
    directory,
    files: {
      initramfs: at('initramfs'),
      loginKey: at('login-key'),
      fingerprint: manifest.fingerprint,
    },
    ram: at('ram'),
    state,
    machine: manifest.machine,
  };
}

/** Saved guests of an earlier boot of the host are of no use, and of the others the oldest go. */
async function prune(cache: Cache, justMade: string): Promise<void> {
  const parent = join(cache.root, KIND);
  const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  const bootedAt = Date.now() - uptime * 1000;
  const found: { directory: string; usedAt: number }[] = [];
  for (const name of await readdir(parent)) {
    const directory = join(parent, name);
    const usedAt = await stat(join(directory, 'manifest.json')).then(
      (file) => file.mtimeMs,
      () => 0,
    );
    if (directory !== justMade) found.push({ directory, usedAt });
  }
  const byUse = found.toSorted((a, b) => b.usedAt - a.usedAt);
  const kept = byUse.filter(({ usedAt }) => usedAt >= bootedAt).slice(0, KEPT - 1);
  for (const one of byUse) if (!kept.includes(one)) await discard(cache, one.directory);
}

async function sampleOf(file: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(file, 'r');
  try {
    const page = Buffer.alloc(SAMPLE_BYTES);
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      const { bytesRead } = await handle.read(page, 0, SAMPLE_BYTES, Math.floor((size / SAMPLES) * sample));
      hash.update(page.subarray(0, bytesRead));
    }
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
