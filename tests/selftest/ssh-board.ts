// SPDX-License-Identifier: MIT
/**
 * A small machine to test SSH against, made of this one: a file system of its own with busybox and
 * dropbear (the programs a guest has, for this machine's architecture), entered by chroot in a mount
 * namespace. Each TCP connection gets a dropbear of its own through inetd mode, so the port is a free
 * one and nothing is installed or left running. Making one needs root.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { hostArchitecture, type Architecture } from '../../harness/build/architectures.ts';
import { Cache } from '../../harness/build/cache.ts';
import { fetchDebian, unpackDebian } from '../../harness/build/debian.ts';
import { newHostKey, newLoginKey } from '../../harness/build/per-run.ts';
import { guestUserland, userlandMembers, userlandSuite } from '../../harness/build/userland.ts';
import { contentKey } from '../../harness/build/content-hash.ts';
import { runOk } from '../../harness/process.ts';
import { settingsFrom } from '../../harness/settings.ts';
import type { ConnectionOptions } from '../../harness/target/ssh/connection.ts';
import { fingerprint } from '../../harness/target/ssh/known-hosts.ts';

/** Why there can be no board here; undefined when there can be one. */
export const noBoard =
  process.getuid?.() === 0 ? undefined : 'a board of our own is a chroot, which needs root';

type ServerName = keyof typeof SERVERS;

export interface BoardChoice {
  tmp?: Tmp;
  server?: ServerName;
  /** Also a real sudo, which lets the user `tester` do everything. */
  sudo?: boolean;
}

/** Mounted on the board's /tmp, visible to one connection only. */
export type Tmp = 'plain' | 'small' | 'tiny' | 'noexec';

const TMP_MOUNT: Record<Tmp, string> = {
  plain: ':',
  small: 'mount -t tmpfs -o size=8m tmpfs "$1/tmp"',
  tiny: 'mount -t tmpfs -o size=256k tmpfs "$1/tmp"',
  noexec: 'mount -t tmpfs -o size=64m,noexec tmpfs "$1/tmp"',
};

const SERVERS = {
  dropbear: ['/usr/sbin/dropbear', '-i', '-s', '-r', '/etc/dropbear/key'],
  openssh: ['/usr/sbin/sshd', '-i', '-e', '-f', '/etc/ssh/sshd_config', '-h', '/etc/ssh/key'],
} as const;

export class Board {
  readonly root: string;
  /** How to log in as root. */
  readonly options: ConnectionOptions;
  readonly #listener: Server;
  /** What the servers logged. */
  log = '';

  private constructor(root: string, options: ConnectionOptions, listener: Server) {
    this.root = root;
    this.options = options;
    this.#listener = listener;
  }

  /** @param directory empty, on a file system without nosuid and noexec */
  static async make(directory: string, choice: BoardChoice = {}): Promise<Board> {
    const { tmp = 'plain', server = 'dropbear', sudo = false } = choice;
    const root = join(directory, 'root');
    await furnish(root, server, sudo);
    const hostKey = newHostKey();
    const opensshHostKey = newLoginKey();
    const login = newLoginKey();
    await place(directory, 'id_ed25519', login.privateOpenssh, 0o600);
    await place(root, 'etc/dropbear/key', hostKey.dropbear, 0o600);
    await place(root, 'etc/ssh/key', opensshHostKey.privateOpenssh, 0o600);
    for (const home of ['root', 'home/tester']) {
      await place(root, `${home}/.ssh/authorized_keys`, login.publicLine, 0o600);
      await chmod(join(root, home, '.ssh'), 0o700);
    }
    await runOk(['chown', '-R', '1000:1000', join(root, 'home/tester')]);
    const listener = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('the listener has no port');
    const opensshBlob = Buffer.from(opensshHostKey.publicLine.split(' ')[1] ?? '', 'base64');
    const options = {
      name: 'board',
      address: { user: 'root', host: '127.0.0.1', port: address.port },
      identities: [join(directory, 'id_ed25519')],
      hostKey: server === 'dropbear' ? hostKey.fingerprint : fingerprint(opensshBlob),
      knownHosts: [],
    };
    const board = new Board(root, options, listener);
    listener.on('connection', (socket) => board.#serve(socket, TMP_MOUNT[tmp], SERVERS[server]));
    return board;
  }

  /** Names in the board's /tmp. */
  async tmp(): Promise<string[]> {
    return readdir(join(this.root, 'tmp'));
  }

  /** Takes no more connections; those that are open end with their clients. */
  async close(): Promise<void> {
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #serve(socket: Socket, mountTmp: string, server: readonly string[]): void {
    const enter = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && ${mountTmp} || exit 1
      root=$1; shift; exec chroot "$root" "$@"`;
    const child = spawn('unshare', ['--mount', 'sh', '-c', enter, 'enter', this.root, ...server], {
      stdio: [socket, socket, 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    // The child has the connection now; ours was only a copy.
    socket.destroy();
  }
}

/** Puts programs and accounts into an empty folder; the guest's own, plus what the server needs. */
async function furnish(root: string, server: ServerName, sudo: boolean): Promise<void> {
  const architecture = hostArchitecture();
  const cache = new Cache(settingsFrom(process.env, '.').cacheRoot);
  const members = await userlandMembers(await guestUserland(cache, architecture), architecture);
  for (const folder of ['proc', 'dev', 'tmp', 'run/sshd'])
    await mkdir(join(root, folder), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  for (const { kind, path, data = '', mode } of members) {
    if (kind === 'file') await place(root, path, data, mode);
    if (kind === 'link') await symlink(data.toString(), join(root, path));
  }
  const packages = [...(sudo ? ['sudo'] : []), ...(server === 'openssh' ? ['openssh-server'] : [])];
  if (packages.length > 0)
    await runOk(['cp', '-a', `${await unpacked(cache, architecture, packages)}/.`, root]);
  const accounts = await readFile(join(root, 'etc/passwd'), 'utf8');
  await place(root, 'etc/passwd', `${accounts}sshd:x:104:65534::/run/sshd:/bin/false\n`, 0o644);
  await place(root, 'etc/ssh/sshd_config', 'PasswordAuthentication no\nUsePAM no\n', 0o644);
  if (sudo) {
    const rules = ['auth', 'account', 'session'].map((kind) => `${kind} required pam_permit.so\n`).join('');
    for (const service of ['sudo', 'other']) await place(root, `etc/pam.d/${service}`, rules, 0o644);
    await place(root, 'etc/hosts', `127.0.0.1 localhost ${hostname()}\n`, 0o644);
    await place(root, 'etc/sudoers', 'root ALL=(ALL) ALL\ntester ALL=(ALL) NOPASSWD: ALL\n', 0o440);
  }
  const applets = await runOk([join(root, 'bin/busybox'), '--list-full']);
  for (const applet of applets.stdout.trim().split('\n')) {
    await mkdir(dirname(join(root, applet)), { recursive: true });
    // What is there already is the real program.
    await symlink('/bin/busybox', join(root, applet)).catch(() => {});
  }
}

/** Debian packages with the libraries they need, unpacked in the cache. */
async function unpacked(cache: Cache, architecture: Architecture, names: string[]): Promise<string> {
  const packages = await fetchDebian(cache, {
    architecture,
    suite: userlandSuite,
    packages: names,
    follow: /^lib/,
  });
  const key = contentKey(...packages.map(({ sha256 }) => sha256).toSorted());
  return cache.entry('board', key.slice(0, 12), async (directory) => {
    for (const { file } of packages) await unpackDebian(file, directory);
  });
}

async function place(root: string, path: string, content: string | Buffer, mode: number): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  await chmod(file, mode);
}
