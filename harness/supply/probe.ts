// SPDX-License-Identifier: MIT
/** The rig's module that tells page tables (harness/witness/probe), on targets that are thrown away. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { architectureOfMachine } from '../build/architectures.ts';
import type { Cache } from '../build/cache.ts';
import { buildModule } from '../build/module.ts';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';

const SOURCE = fileURLToPath(new URL('../witness/probe', import.meta.url));
/** Milliseconds on hardware for insmod. */
const STEP_LIMIT = 10_000;

const loaded = new WeakMap<Target, Promise<void>>();

/**
 * Builds and loads it once for each target, when it is asked for first.
 * @throws LabError `PROBE`; those of building
 */
export function loadProbe(cache: Cache, target: Target): Promise<void> {
  const loading = loaded.get(target) ?? load(cache, target);
  loaded.set(target, loading);
  return loading;
}

async function load(cache: Cache, target: Target): Promise<void> {
  const { kernelTree, facts, patience } = target;
  if (kernelTree.where !== 'host') {
    throw new LabError('PROBE', `${facts.name}: the probe is built on this machine, for guests`);
  }
  const architecture = architectureOfMachine(facts.machine);
  const { file } = await buildModule(cache, { source: SOURCE, architecture, tree: kernelTree }).catch(
    (cause: unknown) => {
      throw new LabError('PROBE', `${facts.name}: the rig's own module does not build: ${String(cause)}`, {
        cause,
      });
    },
  );
  const path = await target.put(await readFile(file), 'bufrig_probe.ko');
  await target.execOk(['insmod', path], { deadline: Deadline.in(STEP_LIMIT * patience) });
}
