// SPDX-License-Identifier: MIT
/** Finds out, before anything else is done, whether modules can be built for the target's kernel. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../../errors.ts';
import type { KernelTree } from '../target.ts';

/** What the target's owner said about the tree; undefined: look on the target. */
export type KernelTreeChoice =
  | { where: 'host'; directory: string }
  | { where: 'target'; directory?: string | undefined }
  | undefined;

/** What the target itself has for building natively. */
export interface NativeBuild {
  /** The tree that was looked for on the target. */
  tree: string;
  treeFound: boolean;
  make: boolean;
  compiler: boolean;
}

/**
 * @param who the target, for messages
 * @param release `uname -r` there
 * @throws LabError `KERNEL_TREE_MISSING`, or `KERNEL_TREE_WRONG` when the tree is of another kernel
 */
export async function findKernelTree(
  choice: KernelTreeChoice,
  who: string,
  release: string,
  native: NativeBuild,
): Promise<KernelTree> {
  if (choice?.where === 'host') return checkHostTree(choice.directory, who, release);
  const lacking = [
    ...(native.treeFound ? [] : [`no kernel build tree at ${native.tree}`]),
    ...(native.make ? [] : ['no make']),
    ...(native.compiler ? [] : ['no C compiler']),
  ];
  if (lacking.length > 0)
    throw missing(
      `${who}: no headers to build modules for kernel ${release}: the target has ${lacking.join(', ')}`,
    );
  return { where: 'target', directory: native.tree };
}

async function checkHostTree(directory: string, who: string, release: string): Promise<KernelTree> {
  const makefile = await stat(join(directory, 'Makefile')).catch(() => undefined);
  if (makefile === undefined)
    throw missing(`${who}: ${directory} on this machine is not a kernel build tree: it has no Makefile`);
  // What modules built here will say of themselves (Makefile: utsrelease.h). Not kernel.release: in
  // Debian's headers that file has the version without the ABI name.
  const header = await readFile(join(directory, 'include/generated/utsrelease.h'), 'utf8').catch(() => '');
  const built = /UTS_RELEASE "(.*)"/.exec(header)?.[1];
  if (built !== undefined && built !== release)
    throw new LabError(
      'KERNEL_TREE_WRONG',
      `${who}: runs kernel ${release}, but the build tree ${directory} is of ${built}: its modules would not load`,
      { hint: `BUFRIG_KERNEL_TREE=<the prepared build tree of ${release}>` },
    );
  return { where: 'host', directory };
}

function missing(message: string): LabError {
  return new LabError('KERNEL_TREE_MISSING', message, {
    hint: 'BUFRIG_KERNEL_TREE=<prepared build tree on this machine>, or install the kernel headers, make and a C compiler on the target',
  });
}
