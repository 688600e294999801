// SPDX-License-Identifier: MIT
/**
 * The target's own kernel as witness: the agent reads physical memory through /proc/kcore, that is,
 * the kernel's linear map, on a guest and on a real board alike. Searching all of it takes 6 ms a
 * MiB under emulation, so hints are looked at first.
 */
import type { Agent } from '../agent/client.ts';
import { SyscallError } from '../agent/errors.ts';
import { CORE_RANGES_MOST, lookInCore, type CoreSearch } from '../agent/pages.ts';
import { LabError } from '../errors.ts';
import type { PagesSeen, PhysicalRange, Witness } from './witness.ts';

export class KcoreWitness implements Witness {
  readonly name = 'kcore';
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  async find(nonce: bigint, count: number, hints: readonly PhysicalRange[]): Promise<PagesSeen> {
    if (hints.length > 0 && hints.length <= CORE_RANGES_MOST) {
      const seen = this.#pagesOf(await this.#read(() => lookInCore(this.#agent, nonce, count, hints)), count);
      if (seen.every((addresses) => addresses.length > 0)) return seen;
    }
    const all = await this.#read(() => this.#agent.findInKcore(nonce, count));
    return this.#pagesOf(all.runs, count);
  }

  #pagesOf(runs: CoreSearch['runs'], count: number): PagesSeen {
    const seen: PagesSeen = Array.from({ length: count }, () => []);
    for (const run of runs) {
      for (let i = 0; i < run.pages; i++) {
        seen[run.firstPage + i]?.push(run.physicalAddress + i * this.#agent.pageBytes);
      }
    }
    return seen;
  }

  async #read<T>(search: () => Promise<T>): Promise<T> {
    try {
      return await search();
    } catch (cause) {
      if (!(cause instanceof SyscallError)) throw cause;
      throw new LabError('KCORE', `${this.#agent.label}: cannot read physical memory: ${cause.message}`, {
        cause,
        hint: 'the target needs a kernel with CONFIG_PROC_KCORE and no lockdown',
      });
    }
  }
}
