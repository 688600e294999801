// SPDX-License-Identifier: MIT
/**
 * Builds a kernel module against a kernel tree, on this machine or on the target itself. A build is
 * named by all it is made from: source, diff, tree and compiler; the same again costs nothing.
 */
import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { DriverError, LabError } from '../errors.ts';
import { run } from '../process.ts';
import type { KernelTree, Target } from '../target/target.ts';
import { architectureFacts, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { compilerFor, unsupportedOptions, type Compiler } from './compiler.ts';
import { contentKey } from './content-hash.ts';
import { layOutModuleSource, moduleSourceKey, moduleSourceTar, type ModuleSource } from './module-source.ts';
import { inWorkFolder } from './work-folder.ts';

export interface ModuleBuild extends ModuleSource {
  architecture: Architecture;
  /**
   * Accept a build that gave warnings; by default one warning fails it. With a diff they are always
   * accepted: it is there to be judged by what it does.
   */
  allowWarnings?: boolean;
  /** Have sparse look at every source file, too (Documentation/dev-tools/sparse.rst). */
  sparse?: boolean;
}

export interface BuiltModule {
  /** Path of the .ko: on this machine for {@link buildModule}, on the target for {@link buildModuleOnTarget}. */
  file: string;
  /** The same with debug information, on this machine; none of a build on the target. */
  unstripped?: string;
  /** Folder with the compiler's notes about a module that counts which of its lines run. */
  notes?: string;
  /** What make printed. */
  log: string;
  /** Names this build in the cache and in reports. */
  key: string;
  /** The kernel release it is for. */
  release: string;
}

/**
 * C=2 is also said as what it comes to, since Debian's headers lack the script by which Linux 7 asks
 * whether sparse is there; and sparse 0.6.4 knows no __typeof_unqual__, which is of no matter to it.
 */
const SPARSE = ['C=2', 'KBUILD_CHECKSRC=2', 'CHECK=sparse', 'CF=-D__typeof_unqual__=__typeof__'];

/** Changes when what is done with a build changes, so that old entries are not used. */
const RECIPE = 'module-5';
const UNSTRIPPED = '.unstripped';
/** Folder of an entry with what is needed to read the counts of a module that counts its lines. */
const NOTES = 'notes';

/**
 * Builds a module on this machine. A second call with nothing changed does no work.
 * @throws DriverError `MODULE_BUILD`
 * @throws LabError `KERNEL_TREE`, `MODULE_SOURCE`, `DIFF_REJECTED`, `COMPILER_MISSING`, `BUILD_MACHINE`
 */
export async function buildModule(
  cache: Cache,
  request: ModuleBuild & { tree: Extract<KernelTree, { where: 'host' }> },
): Promise<BuiltModule> {
  const { architecture, tree } = request;
  const identity = await examineTree(tree.directory, architecture);
  const sourceKey = await moduleSourceKey(request);
  const compiler = await compilerFor(architecture);
  const overrides = await unsupportedOptions(compiler, identity.config);
  const ways = [
    request.allowWarnings === true ? 'warnings' : '',
    ...(request.sparse === true ? ['sparse'] : []),
  ];
  const key = contentKey(RECIPE, sourceKey, identity.key, compiler.version, ...ways).slice(0, 24);
  const entry = await cache.entry('module', key, async (directory) => {
    cache.progress(`building the module in ${request.source} for Linux ${identity.release}`);
    const layout = join(directory, 'layout');
    const module = relative(layout, await layOutModuleSource(request, layout));
    const workKey = contentKey(RECIPE, module, identity.key, tree.directory, compiler.version, ...ways);
    await inWorkFolder(cache, workKey, layout, async (folder) => {
      const source = join(folder, module);
      const argv = makeArgv(tree.directory, source, architecture, compiler, overrides);
      // Where the kernel can tell which lines ran, the module counts them.
      if (identity.config.includes('\nCONFIG_GCOV_KERNEL=y\n')) argv.push('GCOV_PROFILE=y');
      const result = await run(request.sparse === true ? [...argv, ...SPARSE] : argv);
      // With the paths of the checkout, not of the copy.
      const log = `${result.stdout}${result.stderr}`.replaceAll(`${folder}/`, '');
      judgeBuild(log, result.code, request);
      const built = await theOneModule(source);
      await keepModule(join(source, built), join(directory, built), compiler);
      await keepNotes(source, join(directory, NOTES));
      await writeFile(join(directory, 'build.log'), log);
    });
    await rm(layout, { recursive: true });
  });
  const file = join(entry, await theOneModule(entry));
  const counts = (await readdir(entry)).includes(NOTES);
  return {
    file,
    ...(counts ? { notes: join(entry, NOTES) } : {}),
    unstripped: `${file}${UNSTRIPPED}`,
    log: await readFile(join(entry, 'build.log'), 'utf8'),
    key,
    release: identity.release,
  };
}

/**
 * Builds a module on the target, natively, in the rig's directory there.
 * @throws DriverError `MODULE_BUILD`
 * @throws LabError `MODULE_SOURCE`, `DIFF_REJECTED`, `BUILD_MACHINE`; whatever the target's exec throws
 */
export async function buildModuleOnTarget(
  cache: Cache,
  target: Target,
  tree: Extract<KernelTree, { where: 'target' }>,
  request: ModuleSource & { allowWarnings?: boolean },
): Promise<BuiltModule> {
  const key = contentKey(await moduleSourceKey(request), target.facts.kernelRelease).slice(0, 24);
  const { tar, module } = await cache.scratch((scratch) => moduleSourceTar(request, scratch));
  const top = `${target.directory}/module-${key}`;
  await target.execOk(['mkdir', '-p', top]);
  await target.execOk(['tar', '-C', top, '-xf', '-'], { input: tar });
  const source = `${top}/${module}`;
  const result = await target.exec(['make', '-C', tree.directory, `M=${source}`, 'W=1', 'modules']);
  const log = `${result.stdout}${result.stderr}`;
  judgeBuild(log, result.code, request);
  const listed = await target.execOk(['find', source, '-maxdepth', '1', '-name', '*.ko']);
  return {
    file: onlyOne(listed.stdout.split('\n').filter(Boolean)),
    log,
    key,
    release: target.facts.kernelRelease,
  };
}

/**
 * What a kernel tree is for, read from a few small files.
 * @throws LabError `KERNEL_TREE` when no module can be built against it for that architecture
 */
async function examineTree(
  directory: string,
  architecture: Architecture,
): Promise<{ key: string; release: string; config: string }> {
  const read = (name: string): Promise<Buffer> =>
    readFile(join(directory, name)).catch(() => {
      throw badTree(directory, `has no ${name}`, 'name a configured and built kernel tree, or its headers');
    });
  const makefile = await read('Makefile');
  const config = await read('.config');
  const symbols = await read('Module.symvers');
  // Not include/config/kernel.release: Debian's headers override it.
  const release = await read('include/generated/utsrelease.h');
  const { configLine } = architectureFacts(architecture);
  if (!config.includes(`\n${configLine}\n`)) {
    throw badTree(
      directory,
      `is not for ${architecture}: its .config lacks ${configLine}`,
      'check the target',
    );
  }
  return {
    key: contentKey(makefile, config, symbols, release, await read('include/generated/autoconf.h')),
    release: /UTS_RELEASE "([^"]+)"/.exec(release.toString())?.[1] ?? 'unknown',
    config: config.toString(),
  };
}

function makeArgv(
  tree: string,
  source: string,
  architecture: Architecture,
  compiler: Compiler,
  overrides: readonly string[],
): [string, ...string[]] {
  return [
    'make',
    '-C',
    tree,
    `M=${source}`,
    `ARCH=${architectureFacts(architecture).kernel}`,
    `CROSS_COMPILE=${compiler.prefix}`,
    // Debian's headers name the compiler's exact version, which this machine need not have.
    `CC=${compiler.command}`,
    'W=1',
    // Type information for BPF needs pahole and is of no use here.
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    ...overrides.map((symbol) => `${symbol}=`),
    // Debug information also where the kernel has none; but the place of the build is chance and must
    // not get into it, nor into WARN() texts.
    `KCFLAGS=-g -ffile-prefix-map=${source}/=`,
    `-j${availableParallelism()}`,
    'modules',
  ];
}

/** Lines about the source: its own text as compilers quote it, what they have against it, and where. */
const ABOUT_SOURCE =
  /^(\s|\d+ +\||[^:]+:\d+(:\d+)?: (error|warning|note): |[^:]+: In function |ERROR: modpost: ")/;

/** What the others say when this machine, and not the source, is to blame. */
const LAB_TROUBLE: readonly RegExp[] = [
  /No space left on device|[Cc]annot allocate memory|[Oo]ut of memory|internal compiler error|(?:^|[\]\d:] )Killed\b|Segmentation fault|Permission denied|Read-only file system/,
  // The shell or make about a program that is not there, or a tree's own that was built on a machine of another kind.
  /^(?:\S*sh: (?:(?:line )?\d+: )?|make(?:\[\d+\])?: )(?:[^\s:/]+|\S*\b(?:scripts|tools)\/\S+): (?:(?:[Cc]ommand )?not found|No such file or directory|.*Exec format error)/,
];

/**
 * The source is the driver's: what the compiler or modpost has against it is a finding about the driver.
 * @throws DriverError `MODULE_BUILD` with their lines; LabError `BUILD_MACHINE` when they could not do their work
 */
function judgeBuild(
  log: string,
  code: number | null,
  request: ModuleSource & { allowWarnings?: boolean },
): void {
  const lines = log.trim().split('\n');
  if (code !== 0) {
    // The compiler's and modpost's own words; make only says that there were some.
    const errors = [/\berror:|^ERROR:/, /\bStop\.|\*\*\*/].map((kind) =>
      lines.filter((line) => kind.test(line)).slice(0, 10),
    );
    const said = errors.find((found) => found.length > 0) ?? lines.slice(-10);
    const what = `building the module in ${request.source} failed:\n`;
    const trouble = lines.filter(
      (line) => !ABOUT_SOURCE.test(line) && LAB_TROUBLE.some((kind) => kind.test(line)),
    );
    if (code === null || trouble.length > 0)
      throw new LabError('BUILD_MACHINE', what + [...new Set([...trouble.slice(0, 10), ...said])].join('\n'));
    throw new DriverError('MODULE_BUILD', what + said.join('\n'));
  }
  const warnings = warningsIn(log);
  const allowed = request.allowWarnings === true || request.diff !== undefined;
  if (warnings.length > 0 && !allowed) {
    throw new DriverError(
      'MODULE_BUILD',
      `the module in ${request.source} builds with warnings:\n${warnings.join('\n')}`,
      { hint: 'fix them; a profile may allow them (allowWarnings)' },
    );
  }
}

/** The lines of a build's output that warn: the compiler's, modpost's and sparse's. */
export function warningsIn(log: string): string[] {
  return log.split('\n').filter((line) => /: warning: |^WARNING: /.test(line));
}

/** Nine tenths of a module are debug information, which a target has no use for and a report has. */
async function keepModule(built: string, file: string, compiler: Compiler): Promise<void> {
  const strip = await run([`${compiler.prefix}strip`, '--strip-debug', '-o', file, built]);
  // What is no object file is for the target's kernel to refuse.
  if (strip.code !== 0) await copyFile(built, file);
  await rename(built, `${file}${UNSTRIPPED}`);
}

async function keepNotes(built: string, into: string): Promise<void> {
  const names = await readdir(built);
  // A source that is gone may have left its notes where later builds are made.
  const notes = names.filter((name) => name.endsWith('.gcno') && names.includes(name.replace(/gcno$/, 'c')));
  if (notes.length > 0) await mkdir(into);
  for (const name of notes) await copyFile(join(built, name), join(into, name));
}

async function theOneModule(directory: string): Promise<string> {
  const names = await readdir(directory);
  return onlyOne(names.filter((name) => name.endsWith('.ko')));
}

function onlyOne(modules: readonly string[]): string {
  const [module, ...others] = modules;
  if (module !== undefined && others.length === 0) return module;
  const what = module === undefined ? 'no .ko' : `more than one .ko: ${modules.join(' ')}`;
  throw new DriverError('MODULE_BUILD', `the build gave ${what}`, { hint: 'obj-m should name one module' });
}

function badTree(directory: string, what: string, hint: string): LabError {
  return new LabError('KERNEL_TREE', `the kernel tree ${directory} ${what}`, { hint });
}
