// SPDX-License-Identifier: MIT
/** The driver under test in a target's kernel: loading it, knowing it is there, taking it out again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../deadline.ts';
import { DriverError, LabError } from '../errors.ts';
import type { Target } from '../target/target.ts';
import { describeHolders, holdersOf } from './holders.ts';
import type { DriverModule, DriverProfile } from './profile.ts';

/** Milliseconds on hardware for insmod, rmmod, and for the device node to appear. */
const STEP_LIMIT = 10_000;
const KERNEL_LINES_IN_MESSAGES = 15;

/** $1: the module's name, $2: where what undoes it is kept, then insmod's arguments. One command is one login. */
const LOAD = `if [ -d "/sys/module/$1" ]; then echo loaded already; exit 1; fi
cat >"$2" || { echo no undo; exit 1; }
node=$3
shift 3
insmod "$@" || exit
[ ! -c "$node" ] || echo node`;

/** What insmod says when the module was built for another kernel: that is the lab's fault. */
const WRONG_KERNEL = /invalid module format|exec format error|version magic|disagrees about version/i;

/** The profile's module. @throws LabError `MODULE_NONE` of a driver that is part of the kernel */
export function moduleOf({ name, module }: DriverProfile): DriverModule {
  if (module !== undefined) return module;
  throw new LabError('MODULE_NONE', `${name} is part of the kernel, and no module`, {
    hint: 'a check of modules does not apply to it: fixtures/applicability.ts',
  });
}

/**
 * Loads a module that is already on the target and waits for its device node. Of a driver that is part
 * of the kernel there is only the node to look for.
 * @param path of the module on the target
 * @throws DriverError `DRIVER_LOAD` with the kernel's words
 * @throws LabError `MODULE_FORMAT`, `MODULE_LOADED`, `TARGET_DISK`
 */
export async function loadDriver(target: Target, profile: DriverProfile, path: string): Promise<void> {
  const { module, device } = profile;
  const where = `${target.facts.name} (Linux ${target.facts.kernelRelease})`;
  const deadline = Deadline.in(STEP_LIMIT * target.patience);
  if (module === undefined) {
    if ((await target.exec(['test', '-c', device], { deadline })).code === 0) return;
    throw new LabError(
      'DRIVER_ABSENT',
      `${where}: there is no ${device}: its kernel has no ${profile.name}`,
      {
        hint: 'choose a kernel that has it built in',
      },
    );
  }
  // Should the rig or the link die from here on, the target takes the module out by itself.
  const undo = `rmmod ${module.name}\n`;
  const result = await target.exec(
    ['sh', '-c', LOAD, 'sh', module.name, `${target.directory}/at-end`, device, path, ...module.parameters],
    { deadline, input: undo },
  );
  if (result.stdout.startsWith('loaded already')) {
    throw new LabError('MODULE_LOADED', `${where}: a module called ${module.name} is loaded already`, {
      hint: `rmmod ${module.name} on the target, if nobody needs it`,
    });
  }
  if (result.stdout.startsWith('no undo')) {
    throw new LabError(
      'TARGET_DISK',
      `${where}: cannot write to ${target.directory}: ${result.stderr.trim()}`,
    );
  }
  if (result.code !== 0) {
    const said = result.stderr.trim() || `insmod ended with ${result.signal ?? result.code}`;
    const message = `${where}: ${module.name} does not load: ${said}\n${await lastKernelWords(target, deadline)}`;
    if (WRONG_KERNEL.test(message)) {
      throw new LabError('MODULE_FORMAT', message, {
        hint: "give the build tree of exactly the target's kernel",
      });
    }
    throw new DriverError('DRIVER_LOAD', message);
  }
  let there = result.stdout.startsWith('node');
  while (!there) {
    if (deadline.expired) {
      const words = await lastKernelWords(target, Deadline.in(STEP_LIMIT * target.patience));
      await unloadDriver(target, profile).catch(() => {});
      throw new DriverError(
        'DRIVER_DEVICE',
        `${where}: ${module.name} loaded, but no ${device} appeared\n${words}`,
      );
    }
    await sleep(20);
    there = (await target.exec(['test', '-c', device], { deadline })).code === 0;
  }
}

/**
 * For when nothing of the rig's uses it any more.
 * @throws DriverError `DRIVER_UNLOAD` with what keeps it; LabError `MODULE_HELD` when that is a living process
 */
export async function unloadDriver(target: Target, profile: DriverProfile): Promise<void> {
  const deadline = Deadline.in(STEP_LIMIT * target.patience);
  if (profile.module === undefined) return;
  const { name } = profile.module;
  const result = await target.exec(['rmmod', name], { deadline });
  if (result.code === 0) return;
  const users = await target.exec(['cat', `/sys/module/${name}/refcnt`], { deadline });
  const what =
    `${target.facts.name}: ${name} does not unload: ${result.stderr.trim()} (reference count ` +
    `${users.stdout.trim() || 'unknown'})`;
  const holders = describeHolders(await holdersOf(target, profile, deadline));
  if (holders !== '') {
    throw new LabError('MODULE_HELD', `${what}: held by ${holders}`, {
      hint: 'a process that the rig does not know uses the driver: end it',
    });
  }
  throw new DriverError('DRIVER_UNLOAD', `${what}\n${await lastKernelWords(target, deadline)}`);
}

async function lastKernelWords(target: Target, deadline: Deadline): Promise<string> {
  const { stdout } = await target.exec(['dmesg'], { deadline });
  const lines = stdout.trimEnd().split('\n').slice(-KERNEL_LINES_IN_MESSAGES);
  return `the kernel's last lines:\n${lines.join('\n')}`;
}
