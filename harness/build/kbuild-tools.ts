// SPDX-License-Identifier: MIT
/**
 * A kernel of a newer Debian brings build programs that want a newer C library than this machine
 * has. They run here all the same: through that release's own loader and libraries, unpacked beside
 * them. Programs that this machine can run are left alone.
 */
import { chmod, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { run, runOk } from '../process.ts';
import { architectureFacts, hostArchitecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { fetchDebian, unpackDebian, type DebianPackage } from './debian.ts';

/**
 * @param root where the packages are unpacked; the libraries go to `root/usr/lib/kbuild-libraries`
 * @param kbuild the package linux-kbuild that is unpacked there
 * @param suite where it came from
 */
export async function makeToolsRunnable(
  cache: Cache,
  root: string,
  kbuild: DebianPackage,
  suite: string | undefined,
): Promise<void> {
  const tools = join(root, 'usr/lib', kbuild.name);
  const known = await hostLibraryVersion();
  const stuck: string[] = [];
  for (const program of await elfPrograms(tools)) {
    if (isNewer(await neededLibraryVersion(program), known)) stuck.push(program);
  }
  if (stuck.length === 0) return;

  cache.progress(`${kbuild.name} needs a newer C library than this machine's; fetching it`);
  const libraries = await fetchDebian(cache, {
    architecture: hostArchitecture(),
    // The libraries of trixie-backports are those of trixie.
    suite: suite?.replace(/-.*/, ''),
    packages: ['libc6', ...kbuild.depends.filter((name) => /^(lib|zlib)/.test(name) && name !== 'libc6')],
    withDependencies: true,
  });
  const place = join(root, 'usr/lib/kbuild-libraries');
  for (const { file } of libraries) await unpackDebian(file, place);
  for (const program of stuck) await runThroughLoader(program, place);
}

/** Replaces a program by a script of the same name that starts it with the libraries in `place`. */
async function runThroughLoader(program: string, place: string): Promise<void> {
  const { triplet } = architectureFacts(hostArchitecture());
  const { stdout } = await runOk(['readelf', '--wide', '--program-headers', program]);
  const loader = basename(/interpreter: ([^\]]+)\]/.exec(stdout)?.[1] ?? '');
  const directories = [`lib/${triplet}`, `usr/lib/${triplet}`];
  const [first = '', second = ''] = directories.map((directory) =>
    relative(dirname(program), join(place, directory)),
  );
  await rename(program, `${program}.elf`);
  // Where a library lies depends on how far that release has merged / and /usr.
  await writeFile(
    program,
    `#!/bin/sh
here=$(dirname "$0")
libraries=$here/${first}:$here/${second}
loader=$here/${first}/${loader}
test -e "$loader" || loader=$here/${second}/${loader}
exec "$loader" --library-path "$libraries" "$here/${basename(program)}.elf" "$@"
`,
  );
  await chmod(program, 0o755);
}

/** Programs of this machine's kind below `directory`. */
async function elfPrograms(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const programs = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const header = await run(['readelf', '--file-header', path]);
    if (header.code === 0 && /Type:\s+(EXEC|DYN)/.test(header.stdout)) programs.push(path);
  }
  return programs;
}

async function neededLibraryVersion(program: string): Promise<number[]> {
  const { stdout } = await runOk(['readelf', '--wide', '--version-info', program]);
  const versions = [...stdout.matchAll(/\bGLIBC_([\d.]+)/g)].map(([, version = '']) => parsed(version));
  return versions.reduce((newest, one) => (isNewer(one, newest) ? one : newest), [0]);
}

async function hostLibraryVersion(): Promise<number[]> {
  return parsed((await runOk(['getconf', 'GNU_LIBC_VERSION'])).stdout.replace('glibc', '').trim());
}

function parsed(version: string): number[] {
  return version.split('.').map(Number);
}

/** Number by number: 2.36 is newer than 2.4. */
function isNewer(one: readonly number[], other: readonly number[]): boolean {
  for (let at = 0; at < Math.max(one.length, other.length); at += 1) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
