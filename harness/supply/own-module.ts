// SPDX-License-Identifier: MIT
/** Modules of the rig's own, for targets that are thrown away: built for the target's kernel and loaded. */
import { readFile } from 'node:fs/promises';
import { architectureOfMachine } from '../build/architectures.ts';
import type { Cache } from '../build/cache.ts';
import { buildModule } from '../build/module.ts';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';

/** Milliseconds on hardware for insmod. */
const STEP_LIMIT = 10_000;

/**
 * @param folder with the source of one module, called `name`
 * @throws LabError `OWN_MODULE`; those of building
 */
export async function loadOwnModule(
  cache: Cache,
  target: Target,
  name: string,
  folder: string,
): Promise<void> {
  const { kernelTree, facts, patience } = target;
  if (kernelTree.where !== 'host') {
    throw new LabError('OWN_MODULE', `${facts.name}: ${name} is built on this machine, for guests`);
  }
  const architecture = architectureOfMachine(facts.machine);
  const { file } = await buildModule(cache, { source: folder, architecture, tree: kernelTree }).catch(
    (cause: unknown) => {
      throw new LabError(
        'OWN_MODULE',
        `${facts.name}: the rig's own module does not build: ${String(cause)}`,
        {
          cause,
        },
      );
    },
  );
  const path = await target.put(await readFile(file), `${name}.ko`);
  await target.execOk(['insmod', path], { deadline: Deadline.in(STEP_LIMIT * patience) });
}
