// SPDX-License-Identifier: MIT
/** The kernel a guest boots, whoever makes it: Debian, or the rig from Debian's source. */
import type { Cache } from './cache.ts';
import { debianKernel, type DebianKernel, type KernelRequest } from './kernel.ts';
import { ownFlavours, ownKernel } from './own-kernel.ts';

/** @throws LabError see {@link debianKernel} and {@link ownKernel} */
export async function guestKernel(
  cache: Cache,
  request: KernelRequest,
  searchPath: readonly string[],
): Promise<DebianKernel> {
  const { flavour } = request;
  if (flavour === undefined || !(await ownFlavours()).includes(flavour)) return debianKernel(cache, request);
  return ownKernel(cache, { ...request, flavour, searchPath });
}
