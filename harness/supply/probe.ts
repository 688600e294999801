// SPDX-License-Identifier: MIT
/** The rig's module that tells page tables (harness/witness/probe), on targets that are thrown away. */
import { fileURLToPath } from 'node:url';
import type { Cache } from '../build/cache.ts';
import type { Target } from '../target/target.ts';
import { loadOwnModule } from './own-module.ts';

const SOURCE = fileURLToPath(new URL('../witness/probe', import.meta.url));

const loaded = new WeakMap<Target, Promise<void>>();

/**
 * Builds and loads it once for each target, when it is asked for first.
 * @throws LabError those of {@link loadOwnModule}
 */
export function loadProbe(cache: Cache, target: Target): Promise<void> {
  const loading = loaded.get(target) ?? loadOwnModule(cache, target, 'bufrig_probe', SOURCE);
  loaded.set(target, loading);
  return loading;
}
