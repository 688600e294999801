// SPDX-License-Identifier: MIT
/**
 * A device that copies physical memory on command, QEMU's fw_cfg, seen from the agent that commands it.
 * It goes through no page table and no cache of the CPU's. 16 bytes at a time.
 */
import type { Agent } from './client.ts';
import type { ByteScan } from './memory.ts';

/** What the device copies at once, in bytes; addresses are multiples of it. */
export const DEVICE_BYTES = 16;
/** A request has at most 64 arguments. */
const PLACES_MOST = 56;

export class CopyingDevice {
  readonly #agent: Agent;
  readonly #registers: number;

  /** @param registers physical address of the device's registers, which /dev/mem must give out */
  constructor(agent: Agent, registers: number) {
    this.#agent = agent;
    this.#registers = registers;
  }

  /** Has the device look for any other byte in a range of whole {@link DEVICE_BYTES}. @throws SyscallError */
  async scanByte(byte: number, physicalAddress: number, bytes: number): Promise<ByteScan> {
    const told = await this.#agent.allowing(600_000).request<{
      compared: number;
      mismatches: number;
      first?: { offset: number; value: number };
    }>('device-scan', this.#registers, byte, physicalAddress, bytes);
    const { compared, mismatches, first } = told;
    return { compared, mismatches, ...(first === undefined ? {} : { first }) };
  }

  /** What the device reads at each of these places. @throws SyscallError */
  async take(places: readonly number[]): Promise<Buffer[]> {
    const taken: Buffer[] = [];
    for (let at = 0; at < places.length; at += PLACES_MOST) {
      const some = places.slice(at, at + PLACES_MOST);
      const { data } = await this.#agent.request<{ data: string[] }>('device-take', this.#registers, ...some);
      taken.push(...data.map((hex) => Buffer.from(hex, 'hex')));
    }
    return taken;
  }

  /** Has the device write these {@link DEVICE_BYTES} at each of these places. @throws SyscallError */
  async put(data: Buffer, places: readonly number[]): Promise<void> {
    for (let at = 0; at < places.length; at += PLACES_MOST) {
      const some = places.slice(at, at + PLACES_MOST);
      await this.#agent.request('device-put', this.#registers, data.toString('hex'), ...some);
    }
  }
}
