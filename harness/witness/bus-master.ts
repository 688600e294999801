// SPDX-License-Identifier: MIT
/**
 * A device as witness: it reads physical memory by DMA, as the hardware does that a buffer is made
 * for. It speaks where the kernel has no /proc/kcore, and is of another kind than the hypervisor's
 * look into the RAM file: the machine's own map leads from an address to a byte.
 */
import type { Agent } from '../agent/client.ts';
import { SyscallError } from '../agent/errors.ts';
import { CORE_RANGES_MOST, lookByDma } from '../agent/pages.ts';
import { LabError } from '../errors.ts';
import type { BusMaster } from '../target/target.ts';
import type { PagesSeen, PhysicalRange, Witness } from './witness.ts';

export class BusMasterWitness implements Witness {
  readonly name = 'bus master';
  readonly #agent: Agent;
  readonly #device: BusMaster;

  constructor(agent: Agent, device: BusMaster) {
    this.#agent = agent;
    this.#device = device;
  }

  async find(nonce: bigint, count: number, hints: readonly PhysicalRange[]): Promise<PagesSeen> {
    const { reaches } = this.#device;
    if (
      hints.length > 0 &&
      hints.length <= CORE_RANGES_MOST &&
      hints.every((hint) => isWithin(hint, reaches))
    ) {
      const seen = await this.#look(nonce, count, hints);
      if (seen.every((addresses) => addresses.length > 0)) return seen;
    }
    return this.#look(nonce, count, reaches);
  }

  async #look(nonce: bigint, count: number, ranges: readonly PhysicalRange[]): Promise<PagesSeen> {
    const seen: PagesSeen = Array.from({ length: count }, () => []);
    try {
      const search = { nonce, pages: count };
      for (const run of await lookByDma(this.#agent, this.#device.registers, search, ranges)) {
        seen[run.firstPage]?.push(run.physicalAddress);
      }
      return seen;
    } catch (cause) {
      if (!(cause instanceof SyscallError)) throw cause;
      throw new LabError('BUS_MASTER', `${this.#agent.label}: no DMA by fw_cfg: ${cause.message}`, { cause });
    }
  }
}

function isWithin(range: PhysicalRange, regions: readonly PhysicalRange[]): boolean {
  return regions.some(
    ({ physicalAddress, bytes }) =>
      range.physicalAddress >= physicalAddress &&
      range.physicalAddress + range.bytes <= physicalAddress + bytes,
  );
}
