// SPDX-License-Identifier: MIT
/**
 * A stock Debian kernel: what a guest boots, its modules, and a tree to build modules against, all
 * unpacked into one cache entry without installing anything.
 *
 * Layouts seen: up to 6.x one package linux-image-RELEASE has /boot/vmlinuz-RELEASE and
 * /lib/modules/RELEASE; from 7.x linux-binary, linux-modules and linux-base share
 * /usr/lib/modules/RELEASE. Headers come in three packages that name each other by absolute path.
 */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import type { KernelTree } from '../target/target.ts';
import { architectureFacts, hostArchitecture, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { contentKey } from './content-hash.ts';
import { fetchDebian, unpackDebian, type DebianPackage } from './debian.ts';
import { makeToolsRunnable } from './kbuild-tools.ts';
import { assembleKernelTree } from './kernel-tree.ts';

export interface KernelRequest {
  architecture: Architecture;
  /** Debian's name of the variant, for example `arm64` or `arm64-16k`; see the table of architectures. */
  flavour?: string;
  /** For example `bookworm-backports` or `trixie-backports`; by default this machine's release. */
  suite?: string | undefined;
  /** Look for a newer one. */
  refresh?: boolean | undefined;
}

export interface DebianKernel {
  architecture: Architecture;
  flavour: string;
  /** `uname -r`. */
  release: string;
  /** The package that has the kernel image. */
  package: { name: string; version: string; sha256: string };
  /** Path of the image that QEMU's -kernel takes. */
  image: string;
  /** Path of lib/modules/RELEASE. */
  modules: string;
  /** Path of its .config. */
  config: string;
  /** Path of the symbol table: every symbol of the image with its link address. */
  systemMap?: string;
  tree: Extract<KernelTree, { where: 'host' }>;
}

/**
 * The newest kernel of that flavour that was known when the cache was last refreshed.
 * @throws LabError see {@link fetchDebian}; `KERNEL_LAYOUT` when the packages are not laid out as we know them
 */
export async function debianKernel(cache: Cache, request: KernelRequest): Promise<DebianKernel> {
  const { architecture, suite, refresh } = request;
  const flavour = request.flavour ?? architectureFacts(architecture).flavours[0] ?? architecture;
  const packages = await fetchDebian(cache, {
    architecture,
    suite,
    refresh,
    packages: [`linux-image-${flavour}`, `linux-headers-${flavour}`],
    follow: /^linux-(image|binary|modules|base|headers)-./,
  });
  const kbuild = packages.flatMap(({ depends }) => depends).find((name) => name.startsWith('linux-kbuild-'));
  if (kbuild === undefined) throw layout(`linux-headers-${flavour} depends on no linux-kbuild package`);
  // Programs of the build itself, so of this machine's architecture whatever the kernel's is.
  const tools = await fetchDebian(cache, {
    architecture: hostArchitecture(),
    suite,
    refresh,
    packages: [kbuild],
  });

  const all = [...packages, ...tools];
  const release = releaseOf(packages, flavour);
  const key = contentKey(RECIPE, ...all.map(({ sha256 }) => sha256).toSorted());
  const root = await cache.entry('kernel', `${release}-${key.slice(0, 12)}`, async (directory) => {
    cache.progress(`unpacking Linux ${release}`);
    for (const { file } of all) await unpackDebian(file, directory);
    await assembleKernelTree(directory, release);
    for (const tool of tools) await makeToolsRunnable(cache, directory, tool, suite);
    await dropUnused(directory, release);
  });
  return describe(root, request, flavour, release, packages);
}

/** Changes when what is done with the packages changes, so that old entries are not used. */
const RECIPE = 'kernel-3';

async function describe(
  root: string,
  { architecture }: KernelRequest,
  flavour: string,
  release: string,
  packages: readonly DebianPackage[],
): Promise<DebianKernel> {
  const merged = join(root, 'usr/lib/modules', release);
  const image = await firstOf(join(root, 'boot', `vmlinuz-${release}`), join(merged, 'vmlinuz'));
  const modules = await firstOf(join(root, 'lib/modules', release, 'kernel'), join(merged, 'kernel'));
  const config = await firstOf(join(root, 'boot', `config-${release}`), join(merged, 'config'));
  const systemMap = await firstOf(join(root, 'boot', `System.map-${release}`), join(merged, 'System.map'));
  const source =
    packages.find(({ name }) => name === `linux-binary-${release}`) ??
    packages.find(({ name }) => name === `linux-image-${release}`);
  if (image === undefined || modules === undefined || config === undefined || source === undefined) {
    throw layout(`Linux ${release} has no image, no modules or no config where they are expected`);
  }
  return {
    architecture,
    flavour,
    release,
    package: { name: source.name, version: source.version, sha256: source.sha256 },
    image,
    modules: join(modules, '..'),
    config,
    ...(systemMap === undefined ? {} : { systemMap }),
    tree: { where: 'host', directory: join(root, 'usr/src', `linux-headers-${release}`) },
  };
}

function releaseOf(packages: readonly DebianPackage[], flavour: string): string {
  const name = packages.find(({ name }) => /^linux-image-\d/.test(name))?.name;
  if (name === undefined) throw layout(`linux-image-${flavour} leads to no linux-image-RELEASE`);
  return name.replace('linux-image-', '').replace(/-unsigned$/, '');
}

/** Device trees of boards and documentation: a third of the bytes, none of use to a guest. */
async function dropUnused(root: string, release: string): Promise<void> {
  const unused = ['usr/share', `usr/lib/linux-image-${release}`, `usr/lib/modules/${release}/dtb`];
  for (const path of unused) await rm(join(root, path), { recursive: true, force: true });
}

async function firstOf(...paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await stat(path).catch(() => undefined)) return path;
  }
  return undefined;
}

function layout(what: string): LabError {
  return new LabError('KERNEL_LAYOUT', `Debian's kernel packages are not laid out as expected: ${what}`, {
    hint: 'compare with the layouts at the top of harness/build/kernel.ts',
  });
}
