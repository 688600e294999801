// SPDX-License-Identifier: MIT
/**
 * The programs of a guest: one static busybox for everything and dropbear for SSH, from Debian, and
 * the few files in /etc they read. Two users: root, and `tester` (uid 1000) for what an ordinary
 * user may do. Neither has a password; keys come with each run.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from '../errors.ts';
import { runOk } from '../process.ts';
import { architectureFacts, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { contentKey } from './content-hash.ts';
import type { ArchiveMember } from './cpio.ts';
import { fetchDebian, unpackDebian, type DebianPackage, type DebianRequest } from './debian.ts';

export interface Userland {
  /** Path of a directory with the packages unpacked. */
  root: string;
  /** Name and version of every package in it, for the report. */
  packages: { name: string; version: string }[];
}

/**
 * Newer than the kernel's, for dropbear's sake: the one in Debian 12 ends the whole connection when a
 * process ends while a channel is being opened (see harness/target/ssh/dropbear.ts).
 */
export const userlandSuite = 'trixie';

/** The guest's packages, unpacked. @throws LabError see {@link fetchForGuest} */
export async function guestUserland(
  cache: Cache,
  architecture: Architecture,
  refresh = false,
): Promise<Userland> {
  const packages = await fetchForGuest(cache, {
    architecture,
    packages: ['busybox-static', 'dropbear-bin'],
    withDependencies: true,
    refresh,
  });
  const key = contentKey(...packages.map(({ sha256 }) => sha256).toSorted());
  const root = await cache.entry('userland', `${architecture}-${key.slice(0, 12)}`, async (directory) => {
    cache.progress(`unpacking the guest's userland for ${architecture}`);
    for (const { file } of packages) await unpackDebian(file, directory);
  });
  return { root, packages: packages.map(({ name, version }) => ({ name, version })) };
}

/**
 * Packages of the guest's own suite, so that all share a C library. A mirror may serve that one's index
 * damaged for weeks; then they are those of the release that everything else comes from.
 * @throws LabError see {@link fetchDebian}
 */
export async function fetchForGuest(
  cache: Cache,
  request: Omit<DebianRequest, 'suite'>,
): Promise<DebianPackage[]> {
  try {
    return await fetchDebian(cache, { ...request, suite: userlandSuite });
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== 'DEBIAN_HASH_MISMATCH') throw error;
    cache.progress(
      `the guest's ${request.packages.join(' ')} for ${request.architecture} come from an older release: the mirror's index of ${userlandSuite} is damaged`,
    );
    return fetchDebian(cache, request);
  }
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
tester:x:1000:1000:an ordinary user:/home/tester:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`;
const GROUP = 'root:x:0:\ntty:x:5:\nkvm:x:104:\ntester:x:1000:\nnogroup:x:65534:\n';
/** `*`: no password is right, but the account is not locked. */
const SHADOW = 'root:*:19000::::::\ntester:*:19000::::::\nnobody:*:19000::::::\n';

/** Where it is depends on the release: programs moved from /bin to /usr/bin. */
async function busyboxIn(root: string): Promise<string> {
  const file = await firstFile([join(root, 'usr/bin/busybox'), join(root, 'bin/busybox')]);
  if (file === undefined) throw new LabError('USERLAND', 'no package brought busybox');
  return file;
}

/** The programs and /etc as members of an archive; see {@link cpioArchive}. */
export async function userlandMembers(
  userland: Userland,
  architecture: Architecture,
): Promise<ArchiveMember[]> {
  const { triplet } = architectureFacts(architecture);
  const dropbear = join(userland.root, 'usr/sbin/dropbear');
  const folders = libraryFolders(userland.root, triplet);
  const interpreter = await interpreterOf(dropbear);
  const libraries = await librariesOf([dropbear], folders);
  const loader = basename(interpreter);
  const loaderFile = await firstFile(folders.map((folder) => join(folder, loader)));
  if (loaderFile === undefined) throw new LabError('USERLAND', `no package brought ${loader}`);
  libraries.set(loader, loaderFile);
  const members: ArchiveMember[] = [
    {
      path: 'bin/busybox',
      kind: 'file',
      mode: 0o755,
      data: await readFile(await busyboxIn(userland.root)),
    },
    // The other names of busybox are made by init: which there are only it knows.
    { path: 'bin/sh', kind: 'link', mode: 0o777, data: 'busybox' },
    { path: 'usr/sbin/dropbear', kind: 'file', mode: 0o755, data: await readFile(dropbear) },
    { path: 'etc/passwd', kind: 'file', mode: 0o644, data: PASSWD },
    { path: 'etc/group', kind: 'file', mode: 0o644, data: GROUP },
    { path: 'etc/shadow', kind: 'file', mode: 0o600, data: SHADOW },
    { path: 'etc/shells', kind: 'file', mode: 0o644, data: '/bin/sh\n' },
    { path: 'dev/console', kind: 'character-device', mode: 0o600, device: [5, 1] },
  ];
  for (const [name, file] of libraries) {
    const path = name === basename(interpreter) ? interpreter.slice(1) : `lib/${triplet}/${name}`;
    members.push({ path, kind: 'file', mode: 0o755, data: await readFile(file) });
  }
  return members;
}

/** The dynamic loader that a program names. @throws LabError `USERLAND` */
async function interpreterOf(program: string): Promise<string> {
  const header = await runOk(['readelf', '--wide', '--program-headers', program]);
  const interpreter = /interpreter: ([^\]]+)\]/.exec(header.stdout)?.[1];
  if (interpreter === undefined) throw new LabError('USERLAND', `${program} names no dynamic loader`);
  return interpreter;
}

/**
 * The shared libraries that ELF files need, and theirs, by name.
 * @param directories where they are looked for, the first first
 * @throws LabError `USERLAND` when one is in none of them
 */
export async function librariesOf(
  files: readonly string[],
  directories: readonly string[],
): Promise<Map<string, string>> {
  const libraries = new Map<string, string>();
  const queue = [...files];
  for (const file of queue) {
    const { stdout } = await runOk(['readelf', '--wide', '--dynamic', file]);
    for (const [, name = ''] of stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      if (libraries.has(name)) continue;
      const found = await firstFile(directories.map((directory) => join(directory, name)));
      if (found === undefined)
        throw new LabError('USERLAND', `${file} needs ${name}, which no package brought`);
      libraries.set(name, found);
      queue.push(found);
    }
  }
  return libraries;
}

/** Where Debian's packages put libraries below a root, before and after the merger of / and /usr. */
export function libraryFolders(root: string, triplet: string): string[] {
  return [join(root, 'lib', triplet), join(root, 'usr/lib', triplet)];
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === true) return path;
  }
  return undefined;
}
