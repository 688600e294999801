// SPDX-License-Identifier: MIT
/**
 * Further Debian packages in a guest's file system. What is asked for comes with all its files but
 * its documentation; of the libraries it is linked with only those come.
 */
import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { architectureFacts, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { contentKey } from './content-hash.ts';
import type { ArchiveMember } from './cpio.ts';
import { unpackDebian } from './debian.ts';
import { fetchForGuest, librariesOf, libraryFolders, type Userland } from './userland.ts';

const WHOLE = 'whole';
const LIBRARIES = 'libraries';
const DOCUMENTATION = /^usr\/share\//;
const ELF = Buffer.from('\x7fELF');

/**
 * The packages and those of their libraries, unpacked beside each other.
 * @returns nothing, or one
 * @throws LabError see {@link fetchForGuest}
 */
export async function guestPackages(
  cache: Cache,
  architecture: Architecture,
  names: readonly string[],
  refresh = false,
): Promise<Userland[]> {
  if (names.length === 0) return [];
  const packages = await fetchForGuest(cache, {
    architecture,
    packages: names,
    follow: /^(lib|zlib)/,
    refresh,
  });
  const key = contentKey(...packages.map(({ sha256 }) => sha256));
  const root = await cache.entry('userland', `${architecture}-${key.slice(0, 12)}`, async (directory) => {
    cache.progress(`unpacking ${names.join(' ')} for ${architecture}`);
    for (const [index, { file }] of packages.entries()) {
      await unpackDebian(file, join(directory, index < names.length ? WHOLE : LIBRARIES));
    }
  });
  return [{ root, packages: packages.map(({ name, version }) => ({ name, version })) }];
}

/** Everything of them as members of an archive; see {@link cpioArchive}. @throws LabError `USERLAND` */
export async function packageMembers(
  { root }: Userland,
  architecture: Architecture,
): Promise<ArchiveMember[]> {
  const { triplet } = architectureFacts(architecture);
  const whole = join(root, WHOLE);
  const members: ArchiveMember[] = [];
  const programs: string[] = [];
  for (const entry of await readdir(whole, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(whole, file);
    if (DOCUMENTATION.test(path)) continue;
    if (entry.isSymbolicLink()) {
      members.push({ path, kind: 'link', mode: 0o777, data: await readlink(file) });
    } else if (entry.isFile()) {
      const data = await readFile(file);
      if (data.subarray(0, ELF.length).equals(ELF)) programs.push(file);
      members.push({ path, kind: 'file', mode: (await stat(file)).mode & 0o7777, data });
    }
  }
  const folders = [whole, join(root, LIBRARIES)].flatMap((folder) => libraryFolders(folder, triplet));
  // A library of the program's own lies beside it and is found there.
  const beside = [...new Set(programs.map((program) => join(program, '..')))];
  for (const [name, file] of await librariesOf(programs, [...folders, ...beside])) {
    if (beside.some((folder) => file === join(folder, name))) continue;
    members.push({ path: `lib/${triplet}/${name}`, kind: 'file', mode: 0o755, data: await readFile(file) });
  }
  return members;
}
