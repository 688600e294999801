// SPDX-License-Identifier: MIT
/** What the device tree says of contigbuf's first device, read without asking the driver. */
import type { Agent } from '../agent/client.ts';
import { entriesOf } from '../agent/directory.ts';
import { LabError } from '../errors.ts';
import type { BusReach } from './system.ts';

/** Of the device, where it is in the tree. */
const NODE = '/sys/class/contigbuf/contigbuf/device/of_node';
/** Documentation/devicetree/bindings/reserved-memory: regions are children of that one node. */
const REGIONS = '/proc/device-tree/reserved-memory';

/** Whether it sees the CPU's caches: on x86, and elsewhere where the tree says so (drivers/of/address.c:of_dma_is_coherent). */
export async function snoops(agent: Agent): Promise<boolean> {
  return agent.hello.machine === 'x86_64' || (await property(agent, `${NODE}/dma-coherent`)) !== undefined;
}

/**
 * The memory that the bus above it reaches, if its `dma-ranges` says so: one range (Devicetree Specification, 2.3.9).
 * @throws LabError `DEVICE_TREE` for a bus that is otherwise
 */
export async function busReach(agent: Agent): Promise<BusReach | undefined> {
  const ranges = await property(agent, `${NODE}/../dma-ranges`);
  // Without the property nothing is said, and without a value the bus is its parent's.
  if (ranges === undefined || ranges.length === 0) return undefined;
  const [onBus, start, bytes] = [0, 8, 16].map((at) =>
    ranges.length === 24 ? ranges.readBigUInt64BE(at) : 0n,
  );
  if (onBus === undefined || start === undefined || !bytes)
    throw new LabError('DEVICE_TREE', `dma-ranges above the device is ${ranges.toString('hex')}`, {
      hint: 'one range, three numbers of two cells each: where on the bus, where in memory, how long',
    });
  return {
    what: 'what the bus reaches (dma-ranges)',
    start: Number(start),
    end: Number(start + bytes),
    onBus: Number(onBus),
  };
}

/** Why the device has no memory that is set aside for it, and that the driver has to divide by itself. */
export async function absenceOfOwnMemory(agent: Agent): Promise<string | undefined> {
  const phandle = await property(agent, `${NODE}/memory-region`);
  if (phandle === undefined) return 'no device tree gives the device memory of its own';
  for (const region of await entriesOf(agent, REGIONS)) {
    const own = await property(agent, `${REGIONS}/${region}/phandle`);
    const compatible = await property(agent, `${REGIONS}/${region}/compatible`);
    if (own?.equals(phandle) === true && compatible?.includes('shared-dma-pool') === true)
      return 'the memory that the device tree gives the device is a pool of the DMA API';
  }
  return undefined;
}

/**
 * The bytes of a property, which may be none; undefined when there is no such property.
 * @throws LabError `DEVICE_TREE` when it cannot be read: that is not to be taken for its absence
 */
async function property(agent: Agent, path: string): Promise<Buffer | undefined> {
  const { ok: fd, errno } = await agent.attempt(() => agent.open(path, 'rdonly'));
  // Beside the regions lie properties of their own, which are no folders.
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
  if (fd === undefined) throw new LabError('DEVICE_TREE', `${path} cannot be read: ${errno}`);
  try {
    return await agent.read(fd, agent.pageBytes);
  } finally {
    await agent.close(fd);
  }
}
