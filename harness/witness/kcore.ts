// SPDX-License-Identifier: MIT
/**
 * The target's own kernel image of physical memory as witness: the agent reads /proc/kcore through
 * the kernel's linear map, on a guest and on a real board alike.
 */
import type { Agent } from '../agent/client.ts';
import type { PagesSeen, Witness } from './witness.ts';

export class KcoreWitness implements Witness {
  readonly name = 'kcore';
  readonly #agent: Agent;
  readonly #pageBytes: number;

  constructor(agent: Agent, pageBytes: number) {
    this.#agent = agent;
    this.#pageBytes = pageBytes;
  }

  async find(nonce: bigint, count: number): Promise<PagesSeen> {
    const seen: PagesSeen = Array.from({ length: count }, () => []);
    for (const run of await this.#agent.findInKcore(nonce, count)) {
      for (let i = 0; i < run.pages; i++) {
        seen[run.firstPage + i]?.push(run.physicalAddress + i * this.#pageBytes);
      }
    }
    return seen;
  }
}
