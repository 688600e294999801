// SPDX-License-Identifier: MIT
/** OpenSSH's own client with one connection for all commands, which is what a careful script would use. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deadline } from '../../../harness/deadline.ts';
import { LabError } from '../../../harness/errors.ts';
import { run, runOk, startOwned } from '../../../harness/process.ts';
import type { Target } from '../../../harness/target/target.ts';

/**
 * What scp's old protocol wants at the receiving end, for guests that have no scp: answer a zero byte
 * to the header and to the content. $1 is -t, $2 the file; the copying itself is dd's.
 */
const SINK = `#!/bin/sh
printf '\\0'
read -r mode size name
printf '\\0'
dd of="$2" bs=65536 count="$size" iflag=fullblock,count_bytes 2>/dev/null
head -c 1 >/dev/null
printf '\\0'
`;

/** Milliseconds for one command or one copy. */
const LIMIT = 120_000;

export class OpenSsh {
  readonly #folder: string;
  readonly #master: ChildProcess;
  readonly #options: string[];
  readonly #host: string;

  private constructor(folder: string, master: ChildProcess, options: string[], host: string) {
    this.#folder = folder;
    this.#master = master;
    this.#options = options;
    this.#host = host;
  }

  /** @throws LabError `OPENSSH` when the master does not get through */
  static async connect({ facts }: Target): Promise<OpenSsh> {
    const { address = '', 'login key': key = '' } = facts.details;
    const { username, hostname, port } = new URL(address);
    const folder = await mkdtemp(join(tmpdir(), 'bufrig-openssh-'));
    const options = ['-o', `ControlPath=${join(folder, 'master')}`, '-F', 'none', '-o', 'BatchMode=yes'];
    options.push('-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(folder, 'known')}`);
    options.push('-o', `Port=${port}`, '-i', key);
    const host = `${username}@${hostname}`;
    const master = startOwned(['ssh', ...options, '-M', '-N', host], { stdio: 'ignore' });
    const openssh = new OpenSsh(folder, master, options, host);
    const deadline = Deadline.in(30_000);
    while ((await run(['ssh', ...options, '-O', 'check', host], { deadline })).code !== 0) {
      if (deadline.expired || master.exitCode !== null) {
        await openssh.close();
        throw new LabError('OPENSSH', `ssh does not get through to ${address}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return openssh;
  }

  async run(argv: readonly string[]): Promise<void> {
    await runOk(['ssh', ...this.#options, this.#host, ...argv], { deadline: Deadline.in(LIMIT) });
  }

  /** Puts the receiving end of {@link copy} on a target that has none. */
  static async provideScp(target: Target): Promise<void> {
    const install = 'command -v scp >/dev/null || { cat >/bin/scp && chmod 755 /bin/scp; }';
    await target.execOk(['sh', '-c', install], { input: SINK });
  }

  /** By the old protocol, which needs no SFTP server but a program called scp over there. */
  async copy(file: string, to: string): Promise<void> {
    const argv = ['scp', '-O', '-q', ...this.#options, file, `${this.#host}:${to}`] as const;
    await runOk(argv, { deadline: Deadline.in(LIMIT) });
  }

  async close(): Promise<void> {
    this.#master.kill('SIGTERM');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
