// SPDX-License-Identifier: MIT
/**
 * What this machine must have, as a table: something that can be looked for, the Debian package that
 * brings it, and who asks for it. Only what is really used: recommended packages are not installed.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { architectureFacts, hostArchitecture, type Architecture } from './architectures.ts';

export interface HostNeed {
  /** A program on the search path, or the absolute path of a file. */
  provides: string;
  debianPackage: string;
  /** Completes "needed to ...". */
  purpose: string;
}

const ALWAYS: readonly HostNeed[] = [
  { provides: 'make', debianPackage: 'make', purpose: 'build kernel modules' },
  { provides: 'gcc', debianPackage: 'gcc', purpose: "build for this machine: the rig's own tests" },
  { provides: 'readelf', debianPackage: 'binutils', purpose: 'find the libraries of a guest program' },
  { provides: 'xz', debianPackage: 'xz-utils', purpose: "read a kernel's compressed modules" },
  { provides: 'patch', debianPackage: 'patch', purpose: 'build mutants of the driver' },
  {
    provides: 'sparse',
    debianPackage: 'sparse',
    purpose: "read a driver's source as the kernel's people do",
  },
  { provides: 'setpriv', debianPackage: 'util-linux', purpose: 'end QEMU with the rig' },
  { provides: 'dpkg-deb', debianPackage: 'dpkg', purpose: "unpack Debian's packages" },
  {
    provides: '/usr/share/keyrings/debian-archive-keyring.gpg',
    debianPackage: 'debian-archive-keyring',
    purpose: "check the signature of Debian's archive",
  },
  {
    provides: 'cpio',
    debianPackage: 'cpio',
    purpose: 'read back the archives the rig writes, in its own tests',
  },
  { provides: 'ssh', debianPackage: 'openssh-client', purpose: 'open a shell on a target' },
];

/** What guests of these architectures need on this machine, each package's purpose once. */
export function hostNeeds(architectures: readonly Architecture[]): HostNeed[] {
  const needs = [...ALWAYS, ...libraryNeed(hostArchitecture(), 'libc6-dev')];
  for (const architecture of architectures) {
    needs.push(emulatorNeed(architecture));
    if (architecture !== hostArchitecture()) needs.push(...compilerNeeds(architecture));
  }
  return needs;
}

/**
 * What one guest needs to be run and built for; asked when it is used, so that nobody needs the
 * emulators and compilers of guests that he does not use.
 * @param programs architecture of the programs, where it is not the kernel's
 */
export function guestNeeds(kernel: Architecture, programs: Architecture): HostNeed[] {
  return [emulatorNeed(kernel), ...[kernel, programs].flatMap(compilerNeeds)];
}

/** What building a whole kernel asks for beside a compiler. */
export const KERNEL_TOOLS: readonly HostNeed[] = ['flex', 'bison', 'bc'].map((program) => ({
  provides: program,
  debianPackage: program,
  purpose: 'build a kernel',
}));

/** What an overlay on a machine's device tree asks for. */
export const DEVICE_TREE_TOOLS: readonly HostNeed[] = ['dtc', 'fdtoverlay'].map((program) => ({
  provides: program,
  debianPackage: 'device-tree-compiler',
  purpose: "add to a machine's device tree",
}));

/** Those of the needs that are not met. */
export async function unmet(needs: readonly HostNeed[], searchPath: readonly string[]): Promise<HostNeed[]> {
  const missing = [];
  for (const need of needs) {
    if (!(await isThere(need.provides, searchPath))) missing.push(need);
  }
  return missing;
}

/** What to run to get them, as arguments; needs the rights of root. */
export function installCommand(missing: readonly HostNeed[]): [string, ...string[]] {
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  return ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
}

function emulatorNeed(architecture: Architecture): HostNeed {
  const { program, debianPackage } = architectureFacts(architecture).qemu;
  return { provides: program, debianPackage, purpose: `run ${architecture} guests` };
}

function compilerNeeds(architecture: Architecture): HostNeed[] {
  const { triplet, crossPackages } = architectureFacts(architecture);
  const purpose = `build for ${architecture}`;
  if (architecture === hostArchitecture()) {
    return [{ provides: 'gcc', debianPackage: 'gcc', purpose }, ...libraryNeed(architecture, 'libc6-dev')];
  }
  const [compiler = '', library = ''] = crossPackages;
  return [
    { provides: `${triplet}-gcc`, debianPackage: compiler, purpose },
    ...libraryNeed(architecture, library),
  ];
}

/** The static C library: where Debian's native and cross packages put it. */
function libraryNeed(architecture: Architecture, debianPackage: string): HostNeed[] {
  const { triplet } = architectureFacts(architecture);
  const native = architecture === hostArchitecture();
  const provides = native ? `/usr/lib/${triplet}/libc.a` : `/usr/${triplet}/lib/libc.a`;
  return [{ provides, debianPackage, purpose: `link programs for ${architecture}` }];
}

async function isThere(provides: string, searchPath: readonly string[]): Promise<boolean> {
  // Debian keeps some programs that anyone may run where only root looks.
  const places = provides.startsWith('/')
    ? [provides]
    : [...searchPath, '/usr/sbin', '/sbin'].map((directory) => join(directory, provides));
  for (const place of places) {
    const found = await access(place).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
