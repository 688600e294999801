// SPDX-License-Identifier: MIT
/** Whether a mutant is a defect at all: its diff applies, it builds, and what it builds to is another driver. */
import { readFile } from 'node:fs/promises';
import type { Cache } from '../build/cache.ts';
import { guestKernel, isAtHand } from '../build/guest-kernel.ts';
import type { DebianKernel } from '../build/kernel.ts';
import { buildModule } from '../build/module.ts';
import { DriverError, LabError, messageOf } from '../errors.ts';
import { contigbuf, moduleFolder } from '../profile/contigbuf.ts';
import { guests } from '../target/guests.ts';
import type { QemuSpec } from '../target/spec.ts';
import { machineNamed } from '../target/qemu/machines.ts';
import { moduleFingerprint } from './module-image.ts';
import type { Mutant } from './mutant.ts';

/** Why a diff makes no defect. */
export interface NoDefect {
  why: string;
  /** On another kernel it may: the part that it changes is not built for this one. */
  onlyHere: boolean;
}

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
   * Why a mutant is none on this guest; undefined when it is one. The build stays in the cache for the run that follows.
   * @throws LabError when this machine could not build it
   */
  async whyNone({ diff, guest }: { diff: string; guest: string }): Promise<NoDefect | undefined> {
    const original = await this.#original(guest);
    try {
      return (await this.#build(guest, diff)) === original
        ? { why: 'it builds to the same binary as the driver as it is', onlyHere: true }
        : undefined;
    } catch (error) {
      const diffRejected = error instanceof LabError && error.code === 'DIFF_REJECTED';
      if (!diffRejected && !(error instanceof DriverError)) throw error;
      return { why: error.message, onlyHere: false };
    }
  }

  /** Whether a guest's kernel need not be built first, which takes long. */
  hasKernel(guest: string): Promise<boolean> {
    return isAtHand(this.#cache, specOf(guest).kernel);
  }

  /**
   * Builds or fetches the kernels that these mutants cannot do without, one after the other. One that cannot
   * be had is told, and is the trouble of those that need it.
   */
  async prepareKernels(
    mutants: readonly Pick<Mutant, 'guests'>[],
    say: (line: string) => void,
  ): Promise<void> {
    for (const guest of new Set(mutants.map(({ guests: [first] }) => first))) {
      if (await this.hasKernel(guest)) continue;
      say(`${guest}: its kernel is made ready first`);
      await this.#kernel(guest).catch((error: unknown) => say(`${guest}: ${messageOf(error)}`));
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
    const { machine, kernel } = specOf(guest);
    const { architecture } = machineNamed(machine);
    return guestKernel(this.#cache, { architecture, ...kernel }, this.#searchPath);
  }
}

function specOf(guest: string): QemuSpec {
  return guests.find(({ name }) => name === guest) ?? guests[0];
}
