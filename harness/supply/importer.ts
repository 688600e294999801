// SPDX-License-Identifier: MIT
/**
 * A driver that imports dma-bufs, beside the one under test: vgem, where the target's kernel came with it,
 * else a module of the rig's own that takes the same ioctls.
 */
import { fileURLToPath } from 'node:url';
import type { Cache } from '../build/cache.ts';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';
import { moduleFromKernel } from './module-files.ts';
import { loadOwnModule } from './own-module.ts';

const OWN = fileURLToPath(new URL('../witness/importer', import.meta.url));
const OWN_DEVICE = '/dev/bufrig-importer';

/** Milliseconds on hardware for insmod. */
const STEP_LIMIT = 10_000;

/** The importer's device node, or why there is none. */
export interface Importer {
  device?: string;
  absence?: string;
}

/**
 * Likewise, the rig's own: it shows what its device and the kernel see of what it imports.
 * @throws LabError of what the target refuses
 */
export async function loadViewer(cache: Cache, target: Target): Promise<Importer> {
  if (target.externalMemory === undefined) return { absence: 'an importer is loaded only into guests' };
  const deadline = Deadline.in(STEP_LIMIT * target.patience);
  const loaded = await target.exec(['test', '-c', OWN_DEVICE], { deadline });
  if (loaded.code !== 0) await loadOwnModule(cache, target, 'bufrig_importer', OWN);
  return { device: OWN_DEVICE };
}

/**
 * Loads it; on a machine that stays nothing is loaded.
 * @throws LabError of what the target refuses
 */
export async function loadImporter(cache: Cache, target: Target): Promise<Importer> {
  if (target.externalMemory === undefined) return { absence: 'an importer is loaded only into guests' };
  const deadline = Deadline.in(STEP_LIMIT * target.patience);
  const device = '/dev/dri/card0';
  for (const node of [device, OWN_DEVICE]) {
    if ((await target.exec(['test', '-c', node], { deadline })).code === 0) return { device: node };
  }
  const path = await moduleFromKernel(target, 'vgem').catch((error: unknown) => {
    if (error instanceof LabError) return undefined;
    throw error;
  });
  if (path === undefined) return loadViewer(cache, target);
  await target.execOk(['insmod', path], { deadline });
  return { device };
}
