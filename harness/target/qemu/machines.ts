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
  /** Kernel arguments for an emulated processor: it need not do what is dear there, and of no use. */
  whenEmulated?: string[];
  /** Physical address of the fw_cfg registers, where no driver keeps them to itself and /dev/mem gives them out. */
  fwCfg?: number;
  /** They are the inside witness, too: the kernel has no /proc/kcore. */
  fwCfgWitness?: true;
  /**
   * A copy need not be told again what it has in its RAM already: the machine is the same without. Reading
   * it takes 50 ms, most of QEMU's start. Not so on a PC, where it adds a file to fw_cfg (hw/i386/x86.c).
   */
  restoresWithoutKernel?: true;
  /** Where the machine maps a RAM file of this many bytes. */
  ram(bytes: number): RamRegion[];
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** QEMU hw/arm/virt.c base_memmap VIRT_FW_CFG. A PC has the registers among its ports. */
const VIRT_FW_CFG = 0x0902_0000;

/** QEMU hw/arm/virt.c base_memmap: RAM begins at 1 GiB and is one piece. */
function virtRam(bytes: number): RamRegion[] {
  return [{ fileOffset: 0, physicalAddress: GIB, bytes }];
}

/**
 * QEMU hw/i386/pc_q35.c pc_q35_init: below 4 GiB there is room for 2816 MiB; a machine with as much
 * RAM or more has 2 GiB there. The rest begins at 4 GiB. The range from 640 KiB to 1 MiB is not
 * RAM to the guest's kernel.
 */
function q35Ram(bytes: number): RamRegion[] {
  const low = bytes < 2816 * MIB ? bytes : 2 * GIB;
  const below = { fileOffset: 0, physicalAddress: 0, bytes: low };
  if (low === bytes) return [below];
  return [below, { fileOffset: low, physicalAddress: 4 * GIB, bytes: bytes - low }];
}

const virtArm64 = {
  architecture: 'arm64' as const,
  board: 'virt,gic-version=max',
  networkDevice: 'virtio-net-pci',
  consoleArguments: ['console=ttyAMA0'],
  // A kernel at a random address takes itself out of the page tables of user mode, whatever the processor
  // (arch/arm64/kernel/cpufeature.c unmap_kernel_at_el0). To QEMU that is a TLB flushed twice in each system
  // call (target/arm/helper.c vmsa_ttbr_write): measured, a quarter of the suite's time. To a driver it is nothing.
  whenEmulated: ['kpti=off'],
  fwCfg: VIRT_FW_CFG,
  restoresWithoutKernel: true,
  ram: virtRam,
} satisfies Omit<Machine, 'cpu'>;

export const machines = {
  // The cortex-a57 also runs 32-bit programs.
  'virt-arm64': { ...virtArm64, cpu: { tcg: 'cortex-a57', kvm: 'host' } },
  // The cortex-a76 has 16 KiB pages; on a57 a kernel with such pages ends without a word.
  'virt-arm64-16k': { ...virtArm64, cpu: { tcg: 'cortex-a76', kvm: 'host' } },
  'q35-amd64': {
    architecture: 'amd64',
    board: 'q35',
    // With a source of randomness of its own: else each copy's kernel would first have some when it is
    // renewed, and patch itself in many places at that moment. Seen: an int3 in crng_reseed, Linux 6.12.
    cpu: { tcg: 'Nehalem,+rdrand', kvm: 'host' },
    networkDevice: 'virtio-net-pci',
    consoleArguments: ['console=ttyS0'],
    // An emulated processor leaks nothing by guessing; what kernels do against that took, measured, a fifth
    // of the suite's time.
    whenEmulated: ['mitigations=off'],
    ram: q35Ram,
  },
  'virt-armhf': {
    architecture: 'armhf',
    board: 'virt,gic-version=2',
    cpu: { tcg: 'cortex-a15', kvm: 'host' },
    fwCfg: VIRT_FW_CFG,
    // Debian's armhf kernels lack PROC_KCORE.
    fwCfgWitness: true,
    restoresWithoutKernel: true,
    networkDevice: 'virtio-net-pci',
    consoleArguments: ['console=ttyAMA0'],
    ram: virtRam,
  },
} satisfies Record<string, Machine>;

export type MachineName = keyof typeof machines;

/** @throws TypeError for a name that is not in the table, which the type already excludes */
export function machineNamed(name: MachineName): Machine {
  return machines[name];
}
