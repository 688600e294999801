// SPDX-License-Identifier: MIT
/**
 * A kernel that no distribution ships: Debian's source of Linux, the kernel's own `tinyconfig` and one
 * of the files in kernels/ on top. Built once; what is kept is what a guest boots and a module is
 * built against. The same source, configuration and compiler give the same kernel.
 */
import { cp, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { runOk } from '../process.ts';
import { architectureFacts, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { compilerFor, type Compiler } from './compiler.ts';
import { contentKey } from './content-hash.ts';
import { fetchDebian, unpackDebian, type DebianPackage } from './debian.ts';
import { KERNEL_TOOLS } from './host.ts';
import { provide } from './host-packages.ts';
import type { DebianKernel } from './kernel.ts';

export interface OwnKernelRequest {
  architecture: Architecture;
  /** Names the configuration: kernels/NAME.config. */
  flavour: string;
  /** Debian's release that the source is taken from. */
  suite?: string | undefined;
  /** Look for a newer source. */
  refresh?: boolean | undefined;
  /** Folders in which the build's programs are looked for. */
  searchPath: readonly string[];
}

/** Debian's package of the source; the newest long-term kernel that bookworm has. */
const SOURCE = 'linux-source-6.12';
/** Changes when the kernel is built differently from the same things. */
const RECIPE = 'own-kernel-1';

const CONFIGS = fileURLToPath(new URL('kernels/', import.meta.url));

/** The flavours that are ours. */
export async function ownFlavours(): Promise<string[]> {
  const names = await readdir(CONFIGS);
  return names.filter((name) => name.endsWith('.config')).map((name) => name.replace('.config', ''));
}

/**
 * The kernel, built if it is not there; on two cores that takes a quarter of an hour.
 * @throws LabError `HOST_INCOMPLETE`, `KERNEL_CONFIG` when the source does not know an option any more,
 *   `COMMAND_FAILED` with the compiler's words; those of {@link fetchDebian}
 */
export async function ownKernel(cache: Cache, request: OwnKernelRequest): Promise<DebianKernel> {
  const { architecture, flavour, suite, refresh } = request;
  const [source] = await fetchDebian(cache, { architecture, suite, refresh, packages: [SOURCE] });
  if (source === undefined) throw new LabError('DEBIAN_PACKAGE_MISSING', `there is no ${SOURCE}`);
  const config = join(CONFIGS, `${flavour}.config`);
  const compiler = await compilerFor(architecture);
  const key = contentKey(RECIPE, source.sha256, await readFile(config), architecture, compiler.version);
  const version = source.version.replace(/-.*/, '');
  const root = await cache.entry('kernel', `${version}-${flavour}-${key.slice(0, 12)}`, async (directory) => {
    await provide(KERNEL_TOOLS, {
      searchPath: request.searchPath,
      say: (line) => cache.progress(line),
    });
    const build = new KernelBuild(cache, architecture, flavour, compiler);
    await build.into(directory, source, config);
  });
  return describe(root, request, source);
}

/** Whether a kernel of this flavour was built before. */
export async function isBuilt(cache: Cache, flavour: string): Promise<boolean> {
  return (await cache.keys('kernel')).some((key) => key.includes(`-${flavour}-`));
}

class KernelBuild {
  readonly #cache: Cache;
  readonly #architecture: Architecture;
  readonly #flavour: string;
  readonly #compiler: Compiler;

  constructor(cache: Cache, architecture: Architecture, flavour: string, compiler: Compiler) {
    this.#cache = cache;
    this.#architecture = architecture;
    this.#flavour = flavour;
    this.#compiler = compiler;
  }

  async into(directory: string, source: DebianPackage, config: string): Promise<void> {
    this.#cache.progress(`building Linux ${source.version} (${this.#flavour}); a quarter of an hour, once`);
    await this.#cache.scratch(async (scratch) => {
      await unpackDebian(source.file, scratch);
      const tree = join(scratch, 'tree');
      await mkdir(tree);
      const archive = join(scratch, 'usr/src', `${SOURCE}.tar.xz`);
      await runOk(['tar', '-C', tree, '--strip-components=1', '-xf', archive]);
      await this.#configure(tree, config);
      await this.#make(tree, 'Image', 'modules');
      await this.#make(tree, `INSTALL_MOD_PATH=${join(directory, 'root')}`, 'modules_install');
      await keepWhatIsUsed(tree, directory, architectureFacts(this.#architecture).kernel);
    });
  }

  async #configure(tree: string, config: string): Promise<void> {
    await this.#make(tree, 'tinyconfig');
    const merge = join(tree, 'scripts/kconfig/merge_config.sh');
    await runOk([merge, '-m', '-O', tree, join(tree, '.config'), config], { cwd: tree });
    await this.#make(tree, 'olddefconfig');
    const lost = lostOptions(await readFile(config, 'utf8'), await readFile(join(tree, '.config'), 'utf8'));
    if (lost.length === 0) return;
    throw new LabError('KERNEL_CONFIG', `this Linux does not take ${lost.join(', ')} from ${config}`, {
      hint: 'look up what they depend on now, in the Kconfig files of the source',
    });
  }

  async #make(tree: string, ...targets: string[]): Promise<void> {
    await runOk(
      [
        ...(['make', '-s', `-j${availableParallelism()}`] as const),
        `ARCH=${architectureFacts(this.#architecture).kernel}`,
        `CROSS_COMPILE=${this.#compiler.prefix}`,
        `LOCALVERSION=-${this.#flavour}`,
        // Who built it, when and where is chance, and must not make two builds differ.
        ...['KBUILD_BUILD_TIMESTAMP=@1', 'KBUILD_BUILD_USER=bufrig', 'KBUILD_BUILD_HOST=bufrig'],
        `KCFLAGS=-ffile-prefix-map=${tree}/=`,
        ...targets,
      ],
      { cwd: tree },
    );
  }
}

/** The options of a fragment that a configuration does not have as the fragment says. */
export function lostOptions(fragment: string, config: string): string[] {
  const has = new Set(config.split('\n'));
  return fragment.split('\n').filter((line) => {
    if (!line.startsWith('CONFIG_')) return false;
    const off = /^(CONFIG_\w+)=n$/.exec(line)?.[1];
    return off === undefined ? !has.has(line) : [...has].some((one) => one.startsWith(`${off}=`));
  });
}

/** The image, the symbols, and what `make M=` reads; all else is ten times as large. */
async function keepWhatIsUsed(tree: string, directory: string, arch: string): Promise<void> {
  await rename(join(tree, 'arch', arch, 'boot/Image'), join(directory, 'Image'));
  const into = join(directory, 'tree');
  const top = ['Makefile', 'Kbuild', 'Kconfig', '.config', 'Module.symvers', 'System.map'];
  const folders = ['include', 'scripts', `arch/${arch}/include`, `arch/${arch}/Makefile`];
  for (const path of [...top, ...folders]) {
    await cp(join(tree, path), join(into, path), { recursive: true, verbatimSymlinks: true });
  }
  for (const link of ['build', 'source']) {
    for (const release of await readdir(join(directory, 'root/lib/modules'))) {
      await rm(join(directory, 'root/lib/modules', release, link), { force: true });
    }
  }
}

async function describe(
  root: string,
  { architecture, flavour }: OwnKernelRequest,
  { name, version, sha256 }: DebianPackage,
): Promise<DebianKernel> {
  const tree = join(root, 'tree');
  const release = (await readFile(join(tree, 'include/config/kernel.release'), 'utf8')).trim();
  return {
    architecture,
    flavour,
    release,
    package: { name, version, sha256 },
    image: join(root, 'Image'),
    modules: join(root, 'root/lib/modules', release),
    config: join(tree, '.config'),
    systemMap: join(tree, 'System.map'),
    tree: { where: 'host', directory: tree },
  };
}
