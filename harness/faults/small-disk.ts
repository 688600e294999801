// SPDX-License-Identifier: MIT
/** A file system of a few megabytes that may be filled without harm to anybody; mounting it needs root. */
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '../deadline.ts';
import { run, runOk } from '../process.ts';

/** What a run of the selection leaves takes a fifth of it. */
const SIZE = '48m';
/** Milliseconds for mount(8) and umount(8). */
const LIMIT = 10_000;

export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Why there can be none here; undefined when there can. */
  static whyNot(): string | undefined {
    return process.getuid?.() === 0 ? undefined : 'only root can mount a small file system';
  }

  /** @param path where it is mounted; made if it is not there. @throws CommandFailed */
  static async mount(path: string): Promise<SmallDisk> {
    await mkdir(path, { recursive: true });
    await runOk(['mount', '-t', 'tmpfs', '-o', `size=${SIZE}`, 'bufrig-fault', path], {
      deadline: Deadline.in(LIMIT),
    });
    return new SmallDisk(path);
  }

  /** Writes until there is no room for a single byte more. */
  async fill(): Promise<void> {
    const file = await open(join(this.path, 'full'), 'w');
    const chunk = Buffer.alloc(1 << 20);
    try {
      // The last piece is written in part.
      for (;;) await file.write(chunk);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      await file.close();
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.path, 'full'), { force: true });
  }

  /** Detaches it also while somebody still uses it; where nothing is mounted there is nothing to do. */
  static async unmount(path: string): Promise<void> {
    await run(['umount', '--lazy', path], { deadline: Deadline.in(LIMIT) });
  }
}
