// SPDX-License-Identifier: MIT
/** A module of the kernel's own that is there beside the driver under test, for a while. */
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';
import { moduleFromKernel } from './module-files.ts';

/** Milliseconds on hardware for insmod or rmmod. */
const STEP_LIMIT = 10_000;

export interface Bystander {
  unload(): Promise<void>;
}

/**
 * Loads it. On a machine that stays, and where the kernel came without it, there is none.
 * @param parameters arguments of insmod
 * @throws LabError of what the target refuses
 */
export async function loadBystander(
  target: Target,
  name: string,
  parameters: readonly string[],
): Promise<Bystander | undefined> {
  if (target.externalMemory === undefined) return undefined;
  const path = await moduleFromKernel(target, name).catch((error: unknown) => {
    if (error instanceof LabError && error.code === 'KERNEL_MODULE_MISSING') return undefined;
    throw error;
  });
  if (path === undefined) return undefined;
  const inTime = () => ({ deadline: Deadline.in(STEP_LIMIT * target.patience) });
  await target.execOk(['insmod', path, ...parameters], inTime());
  return { unload: async () => void (await target.execOk(['rmmod', name], inTime())) };
}
