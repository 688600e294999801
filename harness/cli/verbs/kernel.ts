// SPDX-License-Identifier: MIT
/** `npm run kernel:debug`: builds a kernel of the rig's own before a test needs it. */
import { Cache } from '../../build/cache.ts';
import { guestKernel } from '../../build/guest-kernel.ts';
import { LabError } from '../../errors.ts';
import { guests } from '../../target/guests.ts';
import { machineNamed } from '../../target/qemu/machines.ts';
import { guarded } from '../arguments.ts';
import { setUp } from '../set-up.ts';
import { exit, type Verb } from '../verb.ts';

export const kernel: Verb = {
  summary: 'get the kernel of a guest, building it if it is one of our own',
  usage: 'PROJECT, for example qemu-arm64-debug',
  run: guarded(async (context, [name]) => {
    const guest = guests.find((one) => one.name === name);
    if (guest === undefined) {
      const names = guests.map((one) => one.name).join(', ');
      throw new LabError('BAD_ARGUMENT', `there is no guest ${name ?? 'without a name'}`, {
        hint: `one of ${names}`,
      });
    }
    await setUp(context);
    const { architecture } = machineNamed(guest.machine);
    await context.terminal.phase(`kernel of ${guest.name}`, async (say) => {
      const cache = new Cache(context.settings.cacheRoot, { onProgress: say });
      const { release, image } = await guestKernel(
        cache,
        { architecture, ...guest.kernel },
        context.searchPath,
      );
      return { value: undefined, result: `Linux ${release}, ${image}` };
    });
    return exit.ok;
  }),
};
