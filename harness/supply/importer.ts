// SPDX-License-Identifier: MIT
/** A driver that imports dma-bufs, beside the one under test: vgem, where the target's kernel came with it. */
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';
import { moduleFromKernel } from './module-files.ts';

/** Milliseconds on hardware for insmod. */
const STEP_LIMIT = 10_000;

/** The importer's device node, or why there is none. */
export interface Importer {
  device?: string;
  absence?: string;
}

/**
 * Loads it; on a machine that stays nothing is loaded.
 * @throws LabError of what the target refuses
 */
export async function loadImporter(target: Target): Promise<Importer> {
  if (target.externalMemory === undefined) return { absence: 'an importer is loaded only into guests' };
  const deadline = Deadline.in(STEP_LIMIT * target.patience);
  const device = '/dev/dri/card0';
  if ((await target.exec(['test', '-c', device], { deadline })).code === 0) return { device };
  const path = await moduleFromKernel(target, 'vgem').catch((error: unknown) => {
    if (error instanceof LabError) return undefined;
    throw error;
  });
  if (path === undefined) return { absence: 'this kernel came without vgem, which imports dma-bufs' };
  await target.execOk(['insmod', path], { deadline });
  return { device };
}
