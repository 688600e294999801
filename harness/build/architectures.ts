// SPDX-License-Identifier: MIT
/** What the architectures we build for are called by everybody who has a name for them. */
import { LabError } from '../errors.ts';

/** Debian's name of an architecture that a guest, or a program in it, can have. */
export type Architecture = 'arm64' | 'amd64' | 'armhf' | 'i386';

export interface ArchitectureFacts {
  /** Debian's name, as in `linux-image-arm64`. */
  debian: Architecture;
  /** The kernel's name, for `make ARCH=`. */
  kernel: string;
  /** Width of a pointer in programs for it. */
  bits: 32 | 64;
  /** What `uname -m` says on a 64-bit or 32-bit kernel of that architecture. */
  machine: string;
  /** GNU triplet; the prefix of the cross tools and the library directory. */
  triplet: string;
  /** Line of a kernel's .config that only this architecture has. */
  configLine: string;
  /** `e_machine` in the ELF header (elf.h). */
  elfMachine: number;
  /** QEMU's program and the Debian package that has it. */
  qemu: { program: string; debianPackage: string };
  /** Debian's cross compiler, and the C library it links against. */
  crossPackages: readonly string[];
  /** Modules that every guest loads: its network card on QEMU's buses. Not fw_cfg's, which programs drive. */
  guestModules: readonly string[];
  /** The flavours of Debian's kernel that a guest can boot, the default one first. */
  flavours: readonly string[];
}

const VIRTIO = ['virtio_pci', 'virtio_net'];

const TABLE: Record<Architecture, ArchitectureFacts> = {
  arm64: {
    debian: 'arm64',
    kernel: 'arm64',
    bits: 64,
    machine: 'aarch64',
    triplet: 'aarch64-linux-gnu',
    configLine: 'CONFIG_ARM64=y',
    elfMachine: 183,
    qemu: { program: 'qemu-system-aarch64', debianPackage: 'qemu-system-arm' },
    crossPackages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
    guestModules: [...VIRTIO, 'virtio_mmio'],
    flavours: ['arm64', 'arm64-16k'],
  },
  amd64: {
    debian: 'amd64',
    kernel: 'x86',
    bits: 64,
    machine: 'x86_64',
    triplet: 'x86_64-linux-gnu',
    configLine: 'CONFIG_X86_64=y',
    elfMachine: 62,
    qemu: { program: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' },
    crossPackages: ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross'],
    guestModules: VIRTIO,
    flavours: ['amd64'],
  },
  armhf: {
    debian: 'armhf',
    kernel: 'arm',
    bits: 32,
    machine: 'armv7l',
    triplet: 'arm-linux-gnueabihf',
    configLine: 'CONFIG_ARM=y',
    elfMachine: 40,
    qemu: { program: 'qemu-system-arm', debianPackage: 'qemu-system-arm' },
    crossPackages: ['gcc-arm-linux-gnueabihf', 'libc6-dev-armhf-cross'],
    guestModules: [...VIRTIO, 'virtio_mmio'],
    flavours: ['armmp-lpae', 'armmp'],
  },
  // For programs on amd64 kernels: the one ABI here that aligns 64-bit integers to 4 bytes.
  i386: {
    debian: 'i386',
    kernel: 'x86',
    bits: 32,
    machine: 'i686',
    triplet: 'i686-linux-gnu',
    configLine: 'CONFIG_X86_32=y',
    elfMachine: 3,
    qemu: { program: 'qemu-system-i386', debianPackage: 'qemu-system-x86' },
    crossPackages: ['gcc-i686-linux-gnu', 'libc6-dev-i386-cross'],
    guestModules: VIRTIO,
    flavours: ['686-pae'],
  },
};

export const ARCHITECTURES: readonly ArchitectureFacts[] = Object.values(TABLE);

export function architectureFacts(architecture: Architecture): ArchitectureFacts {
  return TABLE[architecture];
}

/** The architecture whose kernel says `machine` to `uname -m`. @throws LabError `ARCHITECTURE` */
export function architectureOfMachine(machine: string): Architecture {
  const found = ARCHITECTURES.find((facts) => facts.machine === machine);
  if (found === undefined) {
    const known = ARCHITECTURES.map((facts) => facts.machine).join(', ');
    throw new LabError('ARCHITECTURE', `no facts about machines of type ${machine}; known are ${known}`, {
      hint: 'add a line to harness/build/architectures.ts',
    });
  }
  return found.debian;
}

/** The architecture that programs for a target are built for: its kernel's, unless the target says otherwise. */
export function architectureOfPrograms(facts: { machine: string; programs?: Architecture }): Architecture {
  return facts.programs ?? architectureOfMachine(facts.machine);
}

/** Debian's architecture of the machine the rig runs on. @throws LabError `ARCHITECTURE` */
export function hostArchitecture(): Architecture {
  const names: Partial<Record<NodeJS.Architecture, Architecture>> = {
    arm64: 'arm64',
    x64: 'amd64',
    arm: 'armhf',
  };
  const name = names[process.arch];
  if (name === undefined)
    throw new LabError('ARCHITECTURE', `the rig cannot run on a ${process.arch} machine`);
  return name;
}

/** Prefix of the tools that build for `architecture`: empty when this machine is one. */
export function crossPrefix(architecture: Architecture): string {
  return architecture === hostArchitecture() ? '' : `${TABLE[architecture].triplet}-`;
}
