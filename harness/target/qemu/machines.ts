// SPDX-License-Identifier: MIT
/**
 * The emulated machines: what QEMU is told for each architecture, and where the machine puts its
 * RAM. A further machine is one more row.
 */
import type { Architecture } from '../../build/architectures.ts';
import type { RamRegion } from '../target.ts';
import type { AcceleratorName } from './accelerator.ts';

export interface Machine {
  architecture: Architecture;
  /** Value of `-machine`, without the memory backend. */
  board: string;
  /** Value of `-cpu` for each accelerator. */
  cpu: Record<AcceleratorName, string>;
  /** Device name of the virtio network card. */
  networkDevice: string;
  /** Kernel arguments for the console. */
  consoleArguments: string[];
  /** Where the machine maps a RAM file of this many bytes. */
  ram(bytes: number): RamRegion[];
}

const GIB = 1024 ** 3;

export const machines = {
  // QEMU hw/arm/virt.c base_memmap: RAM begins at 1 GiB and is one piece.
  'virt-arm64': {
    architecture: 'arm64',
    board: 'virt,gic-version=max',
    cpu: { tcg: 'cortex-a57', kvm: 'host' },
    networkDevice: 'virtio-net-pci',
    consoleArguments: ['console=ttyAMA0'],
    ram: (bytes) => [{ fileOffset: 0, physicalAddress: GIB, bytes }],
  },
} satisfies Record<string, Machine>;

export type MachineName = keyof typeof machines;

/** @throws TypeError for a name that is not in the table, which the type already excludes */
export function machineNamed(name: MachineName): Machine {
  return machines[name];
}
