// SPDX-License-Identifier: MIT
/** Guests that boot: from QEMU's start to an SSH server that listens, and to a target over it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { Undo } from '../../undo.ts';
import type { OpenContext } from '../open.ts';
import type { QemuSpec } from '../spec.ts';
import { sshTargetOver } from '../ssh/target.ts';
import { waitForSsh } from '../ssh/wait.ts';
import type { Target } from '../target.ts';
import { Guest, type GuestOptions } from './guest.ts';
import { abilitiesOf, detailsOf, entryTo } from './guest-target.ts';
import { guestOptions, layOut, ramBytes, recipeFor, type Recipe } from './recipe.ts';
import { RunFolder } from './run-folder.ts';

/** Milliseconds from QEMU's start to a login that a guest may take on hardware; measured: 0.5 to 1 s under KVM. */
const BOOT_LIMIT = 12_000;
/** What the guest's init prints when its SSH server listens (harness/build/guest/init). */
const READY = 'bufrig: ready';

/**
 * Boots a guest and logs in.
 * @throws LabError `HOST_INCOMPLETE`, `GUEST_DIED`, `GUEST_NOT_READY` with the console's last lines; those of fetching and of SSH
 */
export async function openQemuTarget(spec: QemuSpec, context: OpenContext): Promise<Target> {
  return bootTarget(await recipeFor(spec, context, context.deadline), context.deadline);
}

/** {@link openQemuTarget}, when it is known what the guest is made of. */
export async function bootTarget(recipe: Recipe, within: Deadline): Promise<Target> {
  const undo = new Undo();
  return undo.onFailure(async () => {
    const deadline = within.atMost(BOOT_LIMIT * recipe.patience);
    const folder = await RunFolder.create(ramBytes(recipe));
    undo.add("remove the guest's folder", () => folder.dispose());
    const begun = performance.now();
    const files = await layOut(recipe, folder.path);
    const options = guestOptions(recipe, files.initramfs, { file: folder.file('ram'), as: 'file' });
    const guest = await bootGuest(recipe, folder, options, deadline);
    undo.add('stop QEMU', () => guest.stop());
    const connection = await waitForSsh(await entryTo(guest, recipe, files, deadline), deadline, () =>
      guest.whyDead(),
    );
    const lines = await guest.lines(recipe);
    undo.add('close the lines', () => lines?.close());
    await lines?.answer(deadline);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    return sshTargetOver(
      connection,
      {
        ...abilitiesOf(guest, recipe, lines, () => undo.run()),
        origin: 'booted',
        kernelTree: recipe.kernel.tree,
        kernelModules: recipe.kernel.modules,
        accelerator: recipe.accelerator.name,
        programs: recipe.spec.programs,
        details: { ...detailsOf(recipe, files), 'boot to login': `${seconds} s` },
      },
      deadline,
    );
  });
}

/** Starts a guest and waits until its SSH server listens. @throws LabError `GUEST_DIED`, `GUEST_NOT_READY`, `QEMU_FAILED` */
export async function bootGuest(
  { spec, patience }: Recipe,
  folder: RunFolder,
  options: GuestOptions,
  within: Deadline,
): Promise<Guest> {
  const deadline = within.atMost(BOOT_LIMIT * patience);
  const guest = await Guest.start(folder, options, deadline);
  try {
    await waitUntilReady(spec, guest, deadline);
    return guest;
  } catch (error) {
    await guest.stop();
    throw error;
  }
}

async function waitUntilReady(spec: QemuSpec, guest: Guest, deadline: Deadline): Promise<void> {
  while (!guest.console.textNow().includes(READY)) {
    const why = guest.whyDead();
    if (why !== undefined) throw new LabError('GUEST_DIED', `${spec.name} died while booting: ${why}`);
    if (deadline.expired) {
      const waited = (deadline.total / 1000).toFixed(0);
      throw new LabError(
        'GUEST_NOT_READY',
        `${spec.name} opened no SSH within ${waited} s of booting; ${guest.lastConsoleLines().join('\n')}`,
      );
    }
    await sleep(20);
  }
}
