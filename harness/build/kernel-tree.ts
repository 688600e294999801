// SPDX-License-Identifier: MIT
/**
 * Turns the unpacked packages linux-headers-RELEASE, linux-headers-VERSION-common and linux-kbuild
 * into a tree for `make -C tree M=...` that works wherever it lies.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';

/** @param root where the packages are unpacked; the tree is `root/usr/src/linux-headers-RELEASE` */
export async function assembleKernelTree(root: string, release: string): Promise<void> {
  const makefile = join(root, 'usr/src', `linux-headers-${release}`, 'Makefile');
  const text = await readFile(makefile, 'utf8').catch(() => {
    throw new LabError('KERNEL_LAYOUT', `the headers of Linux ${release} have no Makefile at ${makefile}`);
  });
  // Absolute paths to its parts become relative to the Makefile that is being read, so that the entry can be moved.
  const here = '$(realpath $(dir $(lastword $(MAKEFILE_LIST)))..)';
  await writeFile(makefile, text.replaceAll('/usr/src/linux-headers-', `${here}/linux-headers-`));
}
