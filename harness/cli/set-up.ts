// SPDX-License-Identifier: MIT
/**
 * From a fresh machine to one that can boot a guest and test the driver in it, one phase after the
 * other. What is there is left as it is, so the second time this takes a second and no network.
 */
import { readFile } from 'node:fs/promises';
import { Cache } from '../build/cache.ts';
import { hostNeeds } from '../build/host.ts';
import { provide } from '../build/host-packages.ts';
import { baseInitramfs } from '../build/initramfs.ts';
import { debianKernel, type DebianKernel } from '../build/kernel.ts';
import { buildModule } from '../build/module.ts';
import { buildAgent, buildProgram } from '../build/program.ts';
import { contigbuf, moduleFolder } from '../profile/contigbuf.ts';
import type { Say } from './terminal.ts';
import type { Context } from './verb.ts';

/** The guest of the default project in playwright.config.ts. */
export const DEFAULT_GUEST = { architecture: 'arm64', flavour: 'arm64' } as const;

/** @throws HostIncomplete; LabError of the phase that failed */
export async function setUp(context: Context, options: { refresh?: boolean } = {}): Promise<void> {
  const { terminal, settings } = context;
  await terminal.phase('host packages', async (say) => {
    const needs = hostNeeds([DEFAULT_GUEST.architecture]);
    const value = await provide(needs, { searchPath: context.searchPath, say });
    return { value, result: value === 0 ? 'all there' : `installed ${value}` };
  });
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
