// SPDX-License-Identifier: MIT
/**
 * From a fresh machine to one that can boot a guest and test the driver in it, one phase after the
 * other. What is there is left as it is, so the second time this takes a second and no network.
 */
import { readFile } from 'node:fs/promises';
import type { Architecture } from '../build/architectures.ts';
import { Cache } from '../build/cache.ts';
import { installCommand, missingOnHost } from '../build/host.ts';
import { baseInitramfs } from '../build/initramfs.ts';
import { debianKernel, type DebianKernel } from '../build/kernel.ts';
import { buildModule } from '../build/module.ts';
import { buildAgent, buildProgram } from '../build/program.ts';
import { LabError } from '../errors.ts';
import { run } from '../process.ts';
import { contigbuf, moduleFolder } from '../profile/contigbuf.ts';
import type { Say } from './terminal.ts';
import type { Context } from './verb.ts';

/** The guest of the default project in playwright.config.ts. */
export const DEFAULT_GUEST = { architecture: 'arm64', flavour: 'arm64' } as const;

/** The machine lacks packages and the rig may not install them. The message is the command to run. */
export class HostIncomplete extends LabError {
  constructor(message: string) {
    super('HOST_INCOMPLETE', message);
  }
}

/** @throws HostIncomplete; LabError of the phase that failed */
export async function setUp(context: Context, options: { refresh?: boolean } = {}): Promise<void> {
  const { terminal, settings } = context;
  await terminal.phase('host packages', (say) => completeHost(context, [DEFAULT_GUEST.architecture], say));
  const cacheFor = (say: Say): Cache => new Cache(settings.cacheRoot, { onProgress: say });
  const refresh = options.refresh ?? false;
  const kernel = await terminal.phase('kernel', async (say) => {
    const value = await debianKernel(cacheFor(say), { ...DEFAULT_GUEST, refresh });
    return { value, result: `Linux ${value.release}, Debian's ${value.package.version}` };
  });
  await terminal.phase('guest', async (say) => {
    const value = await baseInitramfs(cacheFor(say), { kernel, refresh });
    return { value, result: `${value.packages.length} packages` };
  });
  await terminal.phase('agent', async (say) => {
    const value = await buildAgent(cacheFor(say), kernel.architecture);
    return { value, result: `built for ${kernel.architecture}` };
  });
  await terminal.phase('driver', (say) => buildDriver(context, cacheFor(say), kernel));
}

/** Installs what is missing, or says how. */
async function completeHost(
  { searchPath }: Context,
  architectures: readonly Architecture[],
  say: Say,
): Promise<{ value: undefined; result: string }> {
  const missing = await missingOnHost(architectures, searchPath);
  if (missing.length === 0) return { value: undefined, result: 'all there' };
  const command = installCommand(missing);
  const asRoot = await rootPrefix();
  if (asRoot === undefined) {
    const needs = missing.map((need) => `  ${need.provides} to ${need.purpose}`).join('\n');
    throw new HostIncomplete(
      `this machine lacks\n${needs}\nand there is no right to install packages. Run this, then try again:\n\n` +
        `sudo apt-get update && sudo ${command.join(' ')}\n`,
    );
  }
  const [program, ...rest] = command;
  // Another apt may be at work on a machine that has just been made.
  const patient = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Dpkg::Use-Pty=0'];
  const quiet = ['env', 'DEBIAN_FRONTEND=noninteractive', program, ...patient];
  say('reading the package index');
  // A third party's broken source must not stand in the way: what counts is whether the install works.
  const update = await run([...asRoot, ...quiet, 'update']);
  say(`installing ${rest.filter((word) => !/^(install|-)/.test(word)).join(' ')}`);
  const install = await run([...asRoot, ...quiet, ...rest]);
  const still = await missingOnHost(architectures, searchPath);
  if (install.code !== 0 || still.length > 0) {
    const said = [update, install].map(({ stderr }) => stderr.trim()).join('\n');
    throw new LabError('HOST_INSTALL', `${command.join(' ')} did not bring what is needed:\n${said}`, {
      hint: 'run it by hand and look',
    });
  }
  return { value: undefined, result: `installed ${missing.length}` };
}

/** What to put before a command so that it runs as root; undefined when that is not possible. */
async function rootPrefix(): Promise<['env'] | ['sudo', '-n'] | undefined> {
  if (process.getuid?.() === 0) return ['env'];
  const sudo = await run(['sudo', '-n', 'true']).catch(() => undefined);
  return sudo?.code === 0 ? ['sudo', '-n'] : undefined;
}

async function buildDriver(
  { settings }: Context,
  cache: Cache,
  kernel: DebianKernel,
): Promise<{ value: undefined; result: string }> {
  const { name, headers = [], helpers, drawing } = contigbuf;
  const diff = settings.driverDiff === undefined ? undefined : await readFile(settings.driverDiff, 'utf8');
  const built = await buildModule(cache, {
    source: moduleFolder,
    extraSources: headers,
    tree: kernel.tree,
    architecture: kernel.architecture,
    diff,
  });
  const programs = [...helpers.map(({ source }) => source), ...(drawing === undefined ? [] : [drawing])];
  for (const source of programs) await buildProgram(cache, kernel.architecture, source, headers);
  const names = diff === undefined ? name : `${name} with ${settings.driverDiff}`;
  return {
    value: undefined,
    result: `${names} and ${programs.length} programs, build ${built.key.slice(0, 12)}`,
  };
}
