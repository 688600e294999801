// SPDX-License-Identifier: MIT
/** What one broken run has on this machine for the moment: a temporary folder, and maybe a small disk in it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, ownIdentity } from '../process-identity.ts';
import { SmallDisk } from './small-disk.ts';

const PREFIX = 'bufrig-fault-';
const OWNER_FILE = 'owner';

export class FaultFolder {
  /** Short, since sockets lie in it. */
  readonly path: string;
  disk: SmallDisk | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** Also removes what a campaign left that was killed. */
  static async create(): Promise<FaultFolder> {
    for (const name of await readdir(tmpdir())) {
      const path = join(tmpdir(), name);
      if (!name.startsWith(PREFIX)) continue;
      const owner = await readFile(join(path, OWNER_FILE), 'utf8').catch(() => '');
      if (owner !== '' && isAlive(owner) === false) await new FaultFolder(path).dispose();
    }
    const folder = new FaultFolder(await mkdtemp(join(tmpdir(), PREFIX)));
    await writeFile(join(folder.path, OWNER_FILE), ownIdentity());
    return folder;
  }

  /** @throws CommandFailed */
  async addDisk(): Promise<SmallDisk> {
    this.disk = await SmallDisk.mount(join(this.path, 'small'));
    return this.disk;
  }

  async dispose(): Promise<void> {
    await SmallDisk.unmount(join(this.path, 'small'));
    await rm(this.path, { recursive: true, force: true });
  }
}
