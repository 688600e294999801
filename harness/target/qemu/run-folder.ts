// SPDX-License-Identifier: MIT
/**
 * The folder that holds everything one guest has on the host: sockets, console, RAM, boot archive.
 * It goes when the guest goes. Three owners see to that, each for the case in which the ones before
 * could not: `dispose()`; a guardian process that notices the rig's death because a pipe closes;
 * and the next run's sweep, should both have been killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabError } from '../../errors.ts';
import { isAlive, ownIdentity } from '../../process-identity.ts';

const PREFIX = 'bufrig-vm-';
const OWNER_FILE = 'owner';
/** Room a guest needs beside its RAM: boot archive, console, sockets. */
const BESIDE_RAM_BYTES = 96 * 1024 * 1024;
/** Memory-backed and writable by everybody on Linux; reading a guest's RAM from it costs no disk. */
const MEMORY_BACKED = '/dev/shm';
/** Where guests' folders are made, the better place first. */
const PARENTS = [MEMORY_BACKED, tmpdir()];

// Kills what left a pid file, because PR_SET_PDEATHSIG has a gap between fork and prctl.
const GUARDIAN = `cat >/dev/null
for file in "$1"/*.pid; do
  test -e "$file" && kill -9 "$(cat "$file")" 2>/dev/null
done
rm -rf -- "$1"`;

export class RunFolder {
  readonly path: string;
  readonly #guardian: ChildProcess;

  private constructor(path: string, guardian: ChildProcess) {
    this.path = path;
    this.#guardian = guardian;
  }

  /**
   * Makes a folder with room for `ramBytes` of guest memory.
   * @throws LabError `HOST_DISK` when neither the memory-backed folder nor the temporary one has room
   */
  static async create(ramBytes: number): Promise<RunFolder> {
    const needed = ramBytes + BESIDE_RAM_BYTES;
    const parent = await firstWithRoom(PARENTS, needed);
    for (const folder of await abandonedGuestFolders()) await rm(folder, { recursive: true, force: true });
    const path = await mkdtemp(join(parent, PREFIX));
    const guardian = spawn('sh', ['-c', GUARDIAN, 'sh', path], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    guardian.unref();
    // A guardian that was killed is no reason for the run to fail: dispose() and sweep() remain.
    guardian.on('error', () => {});
    guardian.stdin?.on('error', () => {});
    await writeFile(join(path, OWNER_FILE), ownIdentity());
    return new RunFolder(path, guardian);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Removes the folder. The processes that use it must have ended. */
  async dispose(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    this.#guardian.stdin?.end();
  }
}

async function firstWithRoom(parents: string[], bytes: number): Promise<string> {
  const seen: string[] = [];
  for (const parent of parents) {
    const free = await statfs(parent).then(
      (stat) => stat.bavail * stat.bsize,
      () => 0,
    );
    if (free >= bytes) return parent;
    seen.push(`${parent} has ${mebibytes(free)}`);
  }
  throw new LabError('HOST_DISK', `no room for a guest: it needs ${mebibytes(bytes)}, ${seen.join(', ')}`, {
    hint: 'free space there, run fewer workers, or set TMPDIR to a larger disk',
  });
}

/** The folders of all guests on this machine. */
export async function guestFolders(): Promise<string[]> {
  const found = await Promise.all(
    PARENTS.map(async (parent) => {
      const names = await readdir(parent).catch(() => []);
      return names.filter((name) => name.startsWith(PREFIX)).map((name) => join(parent, name));
    }),
  );
  return found.flat();
}

/** The folders of guests whose owners are no more; the next guest's owner removes them. */
export async function abandonedGuestFolders(): Promise<string[]> {
  const abandoned: string[] = [];
  for (const path of await guestFolders()) {
    // A folder without owner is one that is being made right now.
    const owner = await readFile(join(path, OWNER_FILE), 'utf8').catch(() => '');
    if (owner !== '' && isAlive(owner) === false) abandoned.push(path);
  }
  return abandoned;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 / 1024)} MiB`;
}
