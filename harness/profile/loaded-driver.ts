// SPDX-License-Identifier: MIT
/** The driver under test in a target's kernel: loading it, knowing it is there, taking it out again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from '../deadline.ts';
import { DriverError, LabError } from '../errors.ts';
import type { Result } from '../process.ts';
import type { Target } from '../target/target.ts';
import { describeHolders, holdersOf } from './holders.ts';
import type { DriverModule, DriverProfile } from './profile.ts';

/** Milliseconds on hardware for insmod, rmmod, and for the device node to appear. */
const STEP_LIMIT = 10_000;
const KERNEL_LINES_IN_MESSAGES = 15;

/** The kernel's last line before insmod, which it is told through /dev/kmsg; a bookmark of the rig's like others. */
const LOADING = 'bufrig: mark loading';

/** $1: the module's name, $2: where what undoes it is kept, then insmod's arguments. One command is one login. */
const LOAD = `if [ -d "/sys/module/$1" ]; then echo loaded already; exit 1; fi
cat >"$2" || { echo no undo; exit 1; }
node=$3
shift 3
echo "${LOADING}" >/dev/kmsg
insmod "$@" || exit
[ ! -c "$node" ] || echo node`;

/** What insmod says, or the kernel about it, when the module has not come as far as its driver's own code. */
const NOT_THE_DRIVERS: readonly { says: RegExp; code: string; hint: string }[] = [
  {
    says: /invalid module format|exec format error|version magic|disagrees about version/i,
    code: 'MODULE_FORMAT',
    hint: "give the build tree of exactly the target's kernel",
  },
  {
    // kernel/module/signing.c, security/lockdown/lockdown.c
    says: /key was rejected|required key not available|unsigned module loading is restricted/i,
    code: 'MODULE_REFUSED',
    hint: 'the target loads signed modules only: sign it, or turn Secure Boot or the lockdown off there',
  },
];

/** The shell's status where there is no insmod, where it cannot be run, and where somebody killed it. */
const NO_INSMOD: readonly (number | null)[] = [126, 127, 128 + 9, null];

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
 * @throws LabError `MODULE_FORMAT`, `MODULE_REFUSED`, `MODULE_LOADED`, `INSMOD`, `TARGET_DISK`
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
  if (result.code !== 0)
    throw await refusal(target, `${where}: ${module.name} does not load`, result, deadline);
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

/** Why insmod failed: the driver's own code did, unless something tells that it was not come to. */
async function refusal(
  target: Target,
  what: string,
  { stderr, code, signal }: Result,
  deadline: Deadline,
): Promise<LabError | DriverError> {
  const said = stderr.trim() || `insmod ended with ${signal ?? code}`;
  const lines = await kernelLines(target, deadline);
  const message = `${what}: ${said}\n${lastOf(lines)}`;
  const mark = lines.findLastIndex((line) => line.includes(LOADING));
  // What the kernel said before was about something else; without the mark that is not known.
  const heard = [said, ...(mark === -1 ? [] : lines.slice(mark))].join('\n');
  const known = NOT_THE_DRIVERS.find(({ says }) => says.test(heard));
  if (known !== undefined) return new LabError(known.code, message, { hint: known.hint });
  if (NO_INSMOD.includes(code))
    return new LabError('INSMOD', message, { hint: 'see whether insmod runs on the target' });
  if (/not permitted/i.test(said) && (await loadsNoModules(target, deadline)))
    return new LabError('MODULE_REFUSED', message, {
      hint: 'the target loads no modules until it is booted anew (kernel.modules_disabled)',
    });
  return new DriverError('DRIVER_LOAD', message);
}

/** A driver's own code may refuse with the same EPERM. Documentation/admin-guide/sysctl/kernel.rst */
async function loadsNoModules(target: Target, deadline: Deadline): Promise<boolean> {
  const { stdout } = await target.exec(['cat', '/proc/sys/kernel/modules_disabled'], { deadline });
  return stdout.trim() === '1';
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
  return lastOf(await kernelLines(target, deadline));
}

async function kernelLines(target: Target, deadline: Deadline): Promise<string[]> {
  const { stdout } = await target.exec(['dmesg'], { deadline });
  return stdout.trimEnd().split('\n');
}

function lastOf(lines: readonly string[]): string {
  return `the kernel's last lines:\n${lines.slice(-KERNEL_LINES_IN_MESSAGES).join('\n')}`;
}
