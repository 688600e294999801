// SPDX-License-Identifier: MIT
/**
 * A guest that stands in for a board: started here, with Debian's sudo in it, and known to the rig
 * under test only by its address, its host key, a login key and its kernel's build tree.
 */
import { appendFile, copyFile, writeFile } from 'node:fs/promises';
import { Cache } from '../../harness/build/cache.ts';
import { cpioArchive, directoriesFor, type ArchiveMember } from '../../harness/build/cpio.ts';
import { baseInitramfs } from '../../harness/build/initramfs.ts';
import { debianKernel } from '../../harness/build/kernel.ts';
import { newHostKey, newLoginKey, perRunArchive } from '../../harness/build/per-run.ts';
import { Deadline } from '../../harness/deadline.ts';
import type { Result } from '../../harness/process.ts';
import { settingsFrom } from '../../harness/settings.ts';
import { Guest } from '../../harness/target/qemu/guest.ts';
import { machineNamed } from '../../harness/target/qemu/machines.ts';
import { RunFolder } from '../../harness/target/qemu/run-folder.ts';
import type { Connection } from '../../harness/target/ssh/connection.ts';
import { waitForSsh } from '../../harness/target/ssh/wait.ts';
import { Undo } from '../../harness/undo.ts';
import { projectFolder } from './rig-run.ts';

const BOOT_LIMIT = 120_000;
const MEMORY_MIB = 768;
const PATIENCE = 5;

/** What the rig is told of the machine, as its variables. */
export type BoardEnvironment = Record<
  'BUFRIG_TARGET' | 'BUFRIG_HOST_KEY' | 'BUFRIG_SSH_KEY' | 'BUFRIG_KERNEL_TREE',
  string
>;

export class BoardGuest {
  readonly environment: BoardEnvironment;
  readonly port: number;
  readonly #connection: Connection;
  readonly #undo: Undo;

  private constructor(environment: BoardEnvironment, port: number, connection: Connection, undo: Undo) {
    this.environment = environment;
    this.port = port;
    this.#connection = connection;
    this.#undo = undo;
  }

  static async start(): Promise<BoardGuest> {
    const undo = new Undo();
    return undo.onFailure(() => BoardGuest.#boot(undo));
  }

  /** The same machine for another user. */
  as(user: string): BoardEnvironment {
    return { ...this.environment, BUFRIG_TARGET: `ssh://${user}@127.0.0.1:${this.port}` };
  }

  /** Runs a shell script there as root, over a connection of our own. */
  async sh(script: string): Promise<Result> {
    return this.#connection.exec(['sh', '-c', script], { deadline: Deadline.in(60_000) });
  }

  /** What a rig could leave behind, as lines: files, processes, modules, device nodes. */
  async state(): Promise<string[]> {
    const { stdout } = await this.sh(STATE);
    return stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .toSorted();
  }

  static async #boot(undo: Undo): Promise<BoardGuest> {
    const settings = settingsFrom(process.env, projectFolder);
    const cache = new Cache(settings.cacheRoot, { onProgress: () => {} });
    const machine = machineNamed('virt-arm64');
    const kernel = await debianKernel(cache, { architecture: machine.architecture, flavour: 'arm64' });
    const initramfs = await baseInitramfs(cache, { kernel, packages: ['sudo', 'libpam-modules'] });
    const login = newLoginKey();
    const hostKey = newHostKey();
    const deadline = Deadline.in(BOOT_LIMIT);

    const folder = await RunFolder.create(MEMORY_MIB * 1024 * 1024);
    undo.add("remove the board's folder", () => folder.dispose());
    await copyFile(initramfs.file, folder.file('initramfs'));
    const perRun = perRunArchive({ hostKey, authorizedKeys: [login.publicLine] });
    await appendFile(folder.file('initramfs'), Buffer.concat([perRun, cpioArchive(SUDO)]));
    await writeFile(folder.file('login-key'), login.privateOpenssh, { mode: 0o600 });

    const guest = await Guest.start(
      folder,
      {
        machine,
        accelerator: 'tcg',
        kernel: kernel.image,
        initramfs: folder.file('initramfs'),
        cpus: 2,
        memoryMiB: MEMORY_MIB,
        // All processors of a board are at work; of a guest only the first, and the last word counts.
        append: ['cma=256M', 'maxcpus=2'],
        ram: { file: folder.file('ram'), as: 'file' },
        lines: 0,
      },
      deadline,
    );
    undo.add('stop the board', () => guest.stop());
    const port = await guest.sshPort(deadline);
    const connection = await waitForSsh(
      {
        name: 'board guest',
        address: { user: 'root', host: '127.0.0.1', port },
        identities: [folder.file('login-key')],
        hostKey: hostKey.fingerprint,
        knownHosts: [],
        patience: PATIENCE,
      },
      deadline,
      () => guest.whyDead(),
    );
    undo.add('log out of the board', () => connection.close());
    const environment = {
      BUFRIG_TARGET: `ssh://root@127.0.0.1:${port}`,
      BUFRIG_HOST_KEY: hostKey.fingerprint,
      BUFRIG_SSH_KEY: folder.file('login-key'),
      BUFRIG_KERNEL_TREE: kernel.tree.directory,
    };
    return new BoardGuest(environment, port, connection, undo);
  }

  async stop(): Promise<void> {
    await this.#undo.run();
  }
}

/** `tester` may become root without a password, and nobody else may. */
const SUDO: ArchiveMember[] = [
  ...directoriesFor(['etc/pam.d/', 'etc/sudoers.d/']),
  { path: 'etc/sudoers', kind: 'file', mode: 0o440, data: 'tester ALL=(ALL:ALL) NOPASSWD: ALL\n' },
  {
    path: 'etc/pam.d/sudo',
    kind: 'file',
    mode: 0o644,
    data: 'auth required pam_deny.so\naccount required pam_permit.so\nsession required pam_permit.so\n',
  },
  { path: 'etc/hosts', kind: 'file', mode: 0o644, data: '127.0.0.1 localhost bufrig-guest\n' },
];

/** sudo's own notes about who used it, and the commands of this very script, are nobody's concern. */
const STATE = `
find /tmp /run /dev/shm /root /home /var -xdev | grep -v ^/run/sudo
ls /dev
cut -d' ' -f1 /proc/modules
for process in /proc/[0-9]*; do
	tr '\\0' ' ' <"$process/cmdline" | head -n 1
done 2>/dev/null | grep -v -e '^ *$' -e '^sh -c' -e '^tr ' -e '^head ' -e '^grep '
`;
