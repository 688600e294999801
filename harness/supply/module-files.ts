// SPDX-License-Identifier: MIT
/** Modules that are not built here: as they came with the kernel, or as they were given. */
import { readFile } from 'node:fs/promises';
import { modulesInOrder } from '../build/kernel-modules.ts';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';

/** Milliseconds on hardware to load a module that another one needs. */
const STEP_LIMIT = 10_000;

/** @throws LabError `MODULE_FILE` */
export async function moduleFromFile(
  target: Target,
  name: string,
  file: string | undefined,
): Promise<string> {
  if (file === undefined) {
    throw new LabError('MODULE_FILE', `nobody said where the module ${name} is`, {
      hint: `build it for Linux ${target.facts.kernelRelease} and set BUFRIG_MODULE=path/to/${name}.ko`,
    });
  }
  const content = await readFile(file).catch((error: unknown) => {
    throw new LabError('MODULE_FILE', `BUFRIG_MODULE cannot be read: ${String(error)}`);
  });
  return target.put(content, `${name}.ko`);
}

/**
 * The modules of a guest's kernel lie on this machine; those of a board lie on the board. What the module
 * needs is loaded already when this returns.
 * @throws LabError `KERNEL_MODULE_MISSING`
 */
export async function moduleFromKernel(target: Target, name: string): Promise<string> {
  const paths =
    target.kernelModules === undefined
      ? await listedByModprobe(target, name)
      : await puttingThem(target, target.kernelModules, name);
  const needed = paths.slice(0, -1);
  for (const [module, path] of needed) {
    const deadline = Deadline.in(STEP_LIMIT * target.patience);
    const loaded = await target.exec(['test', '-d', `/sys/module/${module}`], { deadline });
    if (loaded.code !== 0) await target.execOk(['insmod', path], { deadline });
  }
  return paths.at(-1)?.[1] ?? '';
}

async function puttingThem(target: Target, folder: string, name: string): Promise<[string, string][]> {
  const paths: [string, string][] = [];
  for (const module of await modulesInOrder(folder, [name])) {
    paths.push([module.name, await target.put(module.image, `${module.name}.ko`)]);
  }
  if (paths.length > 0) return paths;
  throw new LabError('KERNEL_MODULE_MISSING', `${name} is built into this kernel: ${folder}`);
}

/** `insmod PATH PARAMETERS` for each that is to be loaded, in order; `builtin NAME` for what the kernel has in it. */
async function listedByModprobe(target: Target, name: string): Promise<[string, string][]> {
  const { stdout } = await target.execOk(['modprobe', '-D', name]);
  const paths = [...stdout.matchAll(/^insmod (\S*\/([^/\s]+)\.ko\S*)/gm)].map(
    ([, path = '', module = '']): [string, string] => [module.replaceAll('-', '_'), path],
  );
  if (paths.length > 0) return paths;
  const said = stdout.trim() || 'nothing';
  throw new LabError(
    'KERNEL_MODULE_MISSING',
    `${target.facts.name}: its kernel has no module ${name} to load: modprobe -D says ${said}`,
  );
}
