// SPDX-License-Identifier: MIT
/**
 * The table of drivers under test: one line per profile. A driver that is not the rig's has its profile
 * in a file of its own, anywhere.
 */
import { pathToFileURL } from 'node:url';
import { LabError } from '../errors.ts';
import { contigbuf } from './contigbuf.ts';
import { dmaHeap, dmaHeapCma } from './dma-heap.ts';
import type { DriverProfile } from './profile.ts';
import { uDmaBuf } from './u-dma-buf.ts';
import { udmabuf } from './udmabuf.ts';
import { vgem } from './vgem.ts';
import { vivid, vividContig } from './vivid.ts';

export const profiles = {
  contigbuf,
  vgem,
  vivid,
  'vivid-contig': vividContig,
  'dma-heap': dmaHeap,
  'dma-heap-cma': dmaHeapCma,
  udmabuf,
  'u-dma-buf': uDmaBuf,
} satisfies Record<string, DriverProfile>;

/**
 * A profile by its name in the table, or by the path of a file whose default export it is.
 * @throws LabError `PROFILE`
 */
export async function profileNamed(name: string): Promise<DriverProfile> {
  const known = Object.entries<DriverProfile>(profiles).find(([key]) => key === name);
  if (known !== undefined) return known[1];
  if (!/\.m?ts$/.test(name)) {
    throw new LabError('PROFILE', `there is no profile called ${name}`, {
      hint: `${Object.keys(profiles).join(', ')}, or the path of a .mts file`,
    });
  }
  const loaded: { default?: DriverProfile } = await import(pathToFileURL(name).href).catch(
    (error: unknown) => {
      throw new LabError('PROFILE', `${name} cannot be loaded: ${String(error)}`);
    },
  );
  if (loaded.default?.strategies === undefined) {
    throw new LabError('PROFILE', `${name} has no profile as its default export`, {
      hint: 'export default { ... } satisfies DriverProfile',
    });
  }
  return loaded.default;
}
