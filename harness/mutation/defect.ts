// SPDX-License-Identifier: MIT
/** Whether a mutant is a defect at all: its diff applies, it builds, and what it builds to is another driver. */
import { readFile } from 'node:fs/promises';
import type { Cache } from '../build/cache.ts';
import { guestKernel } from '../build/guest-kernel.ts';
import type { DebianKernel } from '../build/kernel.ts';
import { buildModule } from '../build/module.ts';
import { DriverError, LabError } from '../errors.ts';
import { contigbuf, moduleFolder } from '../profile/contigbuf.ts';
import { guests } from '../target/guests.ts';
import { machineNamed } from '../target/qemu/machines.ts';
import { moduleFingerprint } from './module-image.ts';
import type { Mutant } from './mutant.ts';

/** Builds mutants, and the driver as it is for each kernel once. */
export class Defects {
  readonly #cache: Cache;
  readonly #searchPath: readonly string[];
  readonly #originals = new Map<string, Promise<string>>();

  /** @param searchPath folders of programs, for a kernel of the rig's own that has to be built */
  constructor(cache: Cache, searchPath: readonly string[]) {
    this.#cache = cache;
    this.#searchPath = searchPath;
  }

  /**
   * Why a mutant is none; undefined when it is one. The build stays in the cache for the run that follows.
   * @throws LabError when this machine could not build it
   */
  async whyNone({ guest, diff }: Pick<Mutant, 'guest' | 'diff'>): Promise<string | undefined> {
    const original = await this.#original(guest);
    try {
      return (await this.#build(guest, diff)) === original
        ? 'it builds to the same binary as the driver as it is'
        : undefined;
    } catch (error) {
      const diffRejected = error instanceof LabError && error.code === 'DIFF_REJECTED';
      if (!diffRejected && !(error instanceof DriverError)) throw error;
      return error.message;
    }
  }

  #original(guest: string): Promise<string> {
    const known = this.#originals.get(guest) ?? this.#build(guest);
    this.#originals.set(guest, known);
    return known;
  }

  async #build(guest: string, diff?: string): Promise<string> {
    const { tree, architecture } = await this.#kernel(guest);
    const request = { source: moduleFolder, extraSources: contigbuf.headers, tree, architecture, diff };
    return moduleFingerprint(await readFile((await buildModule(this.#cache, request)).file));
  }

  #kernel(guest: string): Promise<DebianKernel> {
    const spec = guests.find(({ name }) => name === guest) ?? guests[0];
    const { architecture } = machineNamed(spec.machine);
    return guestKernel(this.#cache, { architecture, ...spec.kernel }, this.#searchPath);
  }
}
