// SPDX-License-Identifier: MIT
/** The device tree of an emulated machine with an overlay on it, as a board's firmware would apply one. */
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { architectureFacts } from '../../build/architectures.ts';
import type { Cache } from '../../build/cache.ts';
import { contentKey } from '../../build/content-hash.ts';
import { DEVICE_TREE_TOOLS } from '../../build/host.ts';
import { provide, type InstallOptions } from '../../build/host-packages.ts';
import { Deadline } from '../../deadline.ts';
import { runOk } from '../../process.ts';
import { machineArguments, type MachineOptions } from './guest.ts';

/** Milliseconds for each of the three programs. */
const STEP_LIMIT = 60_000;

/**
 * The tree QEMU would give to this machine, with the overlay applied.
 * @param overlay path of its source (Documentation/devicetree/overlay-notes.rst); targets are paths,
 *   because QEMU's tree has no symbols
 * @returns path of the blob, in the cache
 * @throws LabError `HOST_INCOMPLETE`; `COMMAND_FAILED` with the words of QEMU, dtc or fdtoverlay
 */
export async function deviceTreeWith(
  overlay: string,
  machine: MachineOptions,
  { qemuVersion, cache, host }: { qemuVersion: string; cache: Cache; host: InstallOptions },
): Promise<string> {
  await provide(DEVICE_TREE_TOOLS, host);
  const argv = machineArguments(machine);
  const key = contentKey(await readFile(overlay), qemuVersion, ...argv);
  const directory = await cache.entry('device-tree', key, async (scratch) => {
    const at = (name: string) => join(scratch, name);
    const { program } = architectureFacts(machine.machine.architecture).qemu;
    // QEMU writes the tree and exits before it makes the machine's RAM.
    const dump = ['-machine', `dumpdtb=${at('machine.dtb')}`];
    await step([program, '-nodefaults', '-no-user-config', '-display', 'none', ...argv, ...dump]);
    await step(['dtc', '-I', 'dts', '-O', 'dtb', '-o', at('overlay.dtbo'), overlay]);
    await step(['fdtoverlay', '-i', at('machine.dtb'), '-o', at('tree.dtb'), at('overlay.dtbo')]);
  });
  return join(directory, 'tree.dtb');
}

function step(command: readonly [string, ...string[]]) {
  return runOk(command, { deadline: Deadline.in(STEP_LIMIT) });
}
