// SPDX-License-Identifier: MIT
/** The kernel a guest boots, whoever makes it: Debian, or the rig from Debian's source. */
import type { Cache } from './cache.ts';
import { debianKernel, type DebianKernel, type KernelRequest } from './kernel.ts';
import { isBuilt, ownFlavours, ownKernel } from './own-kernel.ts';

/** @throws LabError see {@link debianKernel} and {@link ownKernel} */
export async function guestKernel(
  cache: Cache,
  request: KernelRequest,
  searchPath: readonly string[],
): Promise<DebianKernel> {
  const flavour = await ownFlavour(request);
  return flavour === undefined
    ? debianKernel(cache, request)
    : ownKernel(cache, { ...request, flavour, searchPath });
}

/** Whether such a kernel is there, or can be had without building one. A later source needs a new one even so. */
export async function isAtHand(cache: Cache, request: Pick<KernelRequest, 'flavour'>): Promise<boolean> {
  const flavour = await ownFlavour(request);
  return flavour === undefined || isBuilt(cache, flavour);
}

async function ownFlavour({ flavour }: Pick<KernelRequest, 'flavour'>): Promise<string | undefined> {
  return (await ownFlavours()).find((own) => own === flavour);
}
