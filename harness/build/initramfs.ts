// SPDX-License-Identifier: MIT
/**
 * A guest's whole file system, as the kernel takes it with -initrd: the userland, our init and the
 * kernel modules it loads. It is the same for every run; what differs (keys) is a second archive
 * that the kernel unpacks over it, see per-run.ts.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { architectureFacts } from './architectures.ts';
import type { Cache } from './cache.ts';
import { contentKey } from './content-hash.ts';
import { cpioArchive, directoriesFor, type ArchiveMember } from './cpio.ts';
import type { DebianKernel } from './kernel.ts';
import { modulesInOrder } from './kernel-modules.ts';
import { guestPackages, packageMembers } from './guest-packages.ts';
import { guestUserland, userlandMembers } from './userland.ts';

export interface InitramfsRequest {
  kernel: DebianKernel;
  /** Modules of that kernel to load at boot besides those for the network, for example `ramoops`. */
  modules?: readonly string[];
  /** Modules to have at /lib/bufrig/extra/NAME.ko with all they need, without loading them. */
  extraModules?: readonly string[];
  /** Debian packages to have besides the userland, with the libraries they need, for example `sudo`. */
  packages?: readonly string[];
  refresh?: boolean | undefined;
}

export interface Initramfs {
  /** Path of the archive: uncompressed cpio, a multiple of 512 bytes, so another can follow it. */
  file: string;
  /** Packages in it, for the report. */
  packages: { name: string; version: string }[];
}

/**
 * The base archive for guests of this kernel.
 * @throws LabError see {@link fetchDebian}; `KERNEL_MODULE_MISSING`, `USERLAND`
 */
export async function baseInitramfs(cache: Cache, request: InitramfsRequest): Promise<Initramfs> {
  const { kernel } = request;
  const userland = await guestUserland(cache, kernel.architecture, request.refresh);
  const init = await readFile(new URL('guest/init', import.meta.url));
  const modules = [...architectureFacts(kernel.architecture).guestModules, ...(request.modules ?? [])];
  const extra = request.extraModules ?? [];
  const added = await guestPackages(cache, kernel.architecture, request.packages ?? [], request.refresh);
  const key = contentKey(
    RECIPE,
    init,
    basename(userland.root),
    kernel.package.version,
    modules.join(' '),
    extra.join(' '),
    ...added.map(({ root }) => basename(root)),
  );
  const name = `${kernel.release}-${key.slice(0, 12)}`;
  const directory = await cache.entry('initramfs', name, async (directory) => {
    cache.progress(`making the guest's file system for Linux ${kernel.release}`);
    const members: ArchiveMember[] = [
      ...(await userlandMembers(userland, kernel.architecture)),
      { path: 'init', kind: 'file', mode: 0o755, data: init } as const,
      ...(await moduleMembers(kernel, modules, extra)),
    ];
    for (const packages of added) members.push(...(await packageMembers(packages, kernel.architecture)));
    const directories = directoriesFor([...members.map(({ path }) => path), ...MOUNT_POINTS]);
    await writeFile(join(directory, 'initramfs.cpio'), cpioArchive([...directories, ...HOMES, ...members]));
  });
  const packages = [userland, ...added].flatMap((one) => one.packages);
  return { file: join(directory, 'initramfs.cpio'), packages };
}

/** Changes when the archive is made differently from the same things. */
const RECIPE = 'initramfs-1';

const MOUNT_POINTS = ['proc/', 'sys/', 'dev/', 'tmp/', 'run/', 'usr/bin/', 'var/log/', 'mnt/', 'home/'];

const HOMES: readonly ArchiveMember[] = [
  { path: 'root', kind: 'directory', mode: 0o700 },
  { path: 'home/tester', kind: 'directory', mode: 0o700, owner: 1000 },
];

/** Modules loaded at boot are numbered, so that a shell's `*.ko` gives them in order. */
async function moduleMembers(
  kernel: DebianKernel,
  names: readonly string[],
  extra: readonly string[],
): Promise<ArchiveMember[]> {
  const loaded = await modulesInOrder(kernel.modules, names);
  const inBoot = new Set(loaded.map(({ name }) => name));
  const others = (await modulesInOrder(kernel.modules, extra)).filter(({ name }) => !inBoot.has(name));
  return [
    ...loaded.map(({ name, image }, index) =>
      moduleFile(`lib/bufrig/${String(index).padStart(2, '0')}-${name}.ko`, image),
    ),
    ...others.map(({ name, image }) => moduleFile(`lib/bufrig/extra/${name}.ko`, image)),
  ];
}

function moduleFile(path: string, data: Buffer): ArchiveMember {
  return { path, kind: 'file', mode: 0o644, data };
}
