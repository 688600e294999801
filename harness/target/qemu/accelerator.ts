// SPDX-License-Identifier: MIT
/**
 * KVM or software emulation. /dev/kvm can exist, open and create a VM, and the guest still hangs for
 * ever, so KVM is believed only after a guest made progress under it. The answer holds until the
 * host reboots or QEMU changes, and is remembered.
 */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { hostArchitecture } from '../../build/architectures.ts';
import type { Cache } from '../../build/cache.ts';
import type { Machine } from './machines.ts';

export type AcceleratorName = 'kvm' | 'tcg';

export interface Accelerator {
  name: AcceleratorName;
  /** Why this one; goes to the terminal and into every result. */
  reason: string;
}

/** Factor on deadlines: measured boots under emulation take 3 to 6 times as long as under KVM. */
export const patienceUnder: Record<AcceleratorName, number> = { kvm: 1, tcg: 5 };

/**
 * @param makesProgress starts a guest under KVM and says whether its kernel came to life in time
 */
export async function chooseAccelerator(
  machine: Machine,
  qemuVersion: string,
  cache: Cache,
  makesProgress: () => Promise<boolean>,
): Promise<Accelerator> {
  if (machine.architecture !== hostArchitecture()) {
    return { name: 'tcg', reason: `the host is ${hostArchitecture()}, the guest ${machine.architecture}` };
  }
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!openable) return { name: 'tcg', reason: '/dev/kvm cannot be opened for reading and writing' };
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const works = await cache.record('kvm', `${bootId} QEMU ${qemuVersion}`, {
    compute: makesProgress,
    isValid: (known): known is boolean => typeof known === 'boolean',
  });
  return works
    ? { name: 'kvm', reason: 'a guest made progress under KVM' }
    : { name: 'tcg', reason: '/dev/kvm opens, but a guest made no progress under it' };
}
