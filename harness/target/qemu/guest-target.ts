// SPDX-License-Identifier: MIT
/** What a guest offers as a target beside SSH, however it came up; and how to get into it. */
import type { Deadline } from '../../deadline.ts';
import type { ConnectionOptions } from '../ssh/connection.ts';
import type { Nearby } from '../ssh/nearby.ts';
import type { Abilities } from '../ssh/ssh-target.ts';
import { emulatorsFault } from './emulator-faults.ts';
import type { Guest } from './guest.ts';
import { hangLimits } from './hang-limits.ts';
import type { GuestFiles, Recipe } from './recipe.ts';

/**
 * @param nearby the lines into it
 * @param close called when the target is closed: the guest ends with it
 */
export function abilitiesOf(
  guest: Guest,
  recipe: Recipe,
  nearby: Nearby | undefined,
  close: () => Promise<void>,
): Abilities {
  const { machine, agent, spec } = recipe;
  const { externalMemory } = guest;
  const { fwCfg: registers } = machine;
  const copyingDevice = registers === undefined ? undefined : { registers, reaches: externalMemory.regions };
  return {
    console: guest.console,
    screen: guest.screen,
    externalMemory,
    copyingDevice,
    // What a device tree sets aside the kernel itself may be unable to read.
    busMaster: machine.fwCfgWitness === true || spec.deviceTree !== undefined ? copyingDevice : undefined,
    whyDead: () => guest.whyDead(),
    ownFault: recipe.accelerator.name === 'tcg' ? emulatorsFault : undefined,
    examine: () => guest.examine(),
    processorsRest: spec.cpus > 1,
    nearby,
    present: { [agent.sha256]: agent.path },
    onClose: close,
  };
}

export async function entryTo(
  guest: Guest,
  { spec, patience, accelerator }: Recipe,
  files: Pick<GuestFiles, 'loginKey' | 'fingerprint'>,
  deadline: Deadline,
): Promise<ConnectionOptions> {
  return {
    name: spec.name,
    address: { user: 'root', host: '127.0.0.1', port: await guest.sshPort(deadline) },
    identities: [files.loginKey],
    hostKey: files.fingerprint,
    knownHosts: [],
    patience,
    silence: hangLimits[accelerator.name].linkSilence * 1000,
  };
}

/** For the report and for people. */
export function detailsOf(
  { accelerator, qemuVersion, spec, machine, kernel }: Recipe,
  files: Pick<GuestFiles, 'loginKey' | 'fingerprint'>,
): Record<string, string> {
  return {
    accelerator: `${accelerator.name} (${accelerator.reason})`,
    QEMU: qemuVersion,
    machine: spec.machine,
    CPU: machine.cpu[accelerator.name],
    'kernel package': `${kernel.package.name} ${kernel.package.version}`,
    fingerprint: files.fingerprint,
    'login key': files.loginKey,
    'kernel package sha256': kernel.package.sha256,
  };
}
