// SPDX-License-Identifier: MIT
/**
 * The guests of a run that goes on, found from outside: their consoles tell which test is at work,
 * because the rig writes a bookmark there before a test touches the target.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import { bookmarkPrefix } from '../kernel-log/follower.ts';
import { guestFolders } from '../target/qemu/run-folder.ts';
import { Connection } from '../target/ssh/connection.ts';
import { portsOf, socketsOf } from './traces.ts';

/** Milliseconds for a login to a guest that is up, on a busy machine. */
const LOGIN_LIMIT = 60_000;

export class RunningGuest {
  /** Everything it has on this machine. */
  readonly folder: string;
  /** Process id of QEMU. */
  readonly pid: number;
  readonly #command: readonly string[];

  private constructor(folder: string, pid: number, command: readonly string[]) {
    this.folder = folder;
    this.pid = pid;
    this.#command = command;
  }

  /** The guests of the run whose environment has this setting. */
  static async of(setting: string): Promise<RunningGuest[]> {
    const guests = (await guestFolders()).map(async (folder) => {
      const pid = Number(await text(join(folder, 'qemu.pid')));
      const environment = pid === 0 ? '' : await text(`/proc/${pid}/environ`);
      if (!environment.split('\0').includes(setting)) return [];
      return [new RunningGuest(folder, pid, (await text(`/proc/${pid}/cmdline`)).split('\0'))];
    });
    return (await Promise.all(guests)).flat();
  }

  /** Whether a test is at work there: it has begun and not ended. @param title without describe blocks */
  async isIn(title: string): Promise<boolean> {
    const marks = (await text(join(this.folder, 'console.log')))
      .split('\n')
      .filter((line) => line.includes(bookmarkPrefix));
    const begun = marks.findLastIndex((line) => line.trimEnd().endsWith(`begin: ${title}`));
    const ended = marks.findLastIndex((line) => line.trimEnd().endsWith(`end: ${title}`));
    return begun > ended;
  }

  /** The TCP port of this machine that leads to its SSH server. */
  get port(): number {
    const [port] = portsOf(new Set(socketsOf(String(this.pid))));
    if (port === undefined) throw new LabError('FAULT', `QEMU ${this.pid} listens on no port`);
    return port;
  }

  /** Where the saved guest lies that it is a copy of: with its key, and who it is. */
  get saved(): string {
    return savedFolder(this.#command);
  }

  /** Logs in beside the rig. Only guests that were restored from a saved state can be logged in to. */
  async login(): Promise<Connection> {
    const { saved } = this;
    const manifest = await text(join(saved, 'manifest.json'));
    if (manifest === '') throw new LabError('FAULT', `the guest in ${this.folder} was not restored`);
    const { fingerprint }: { fingerprint: string } = JSON.parse(manifest);
    return Connection.open(
      {
        name: 'the guest',
        address: { user: 'root', host: '127.0.0.1', port: this.port },
        identities: [join(saved, 'login-key')],
        hostKey: fingerprint,
        knownHosts: [],
        patience: 5,
        knownShell: true,
      },
      Deadline.in(LOGIN_LIMIT),
    );
  }

  /** Runs a shell script there as root, over a connection of its own. @returns what it said */
  async sh(script: string, ...args: string[]): Promise<string> {
    const connection = await this.login();
    try {
      const deadline = Deadline.in(LOGIN_LIMIT);
      const result = await connection.exec(['sh', '-c', script, 'sh', ...args], { deadline });
      if (result.code === 0) return result.stdout;
      throw new LabError('FAULT', `a script in the guest ended with ${result.code}: ${result.stderr.trim()}`);
    } finally {
      await connection.close();
    }
  }
}

/** Where the RAM lies that a guest began with. @param command QEMU's command line */
export function savedFolder(command: readonly string[]): string {
  const [, ram = ''] = /,mem-path=([^,]+)/.exec(command.join(' ')) ?? [];
  return dirname(ram);
}

/** Empty when it cannot be read. */
function text(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '');
}
