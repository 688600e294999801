// SPDX-License-Identifier: MIT
/**
 * A target over SSH: any machine that runs commands for us, as root or through sudo. A guest of an
 * emulator is one too, with abilities of its own that whoever started it passes in.
 */
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { KernelTree, Target, TargetFacts } from '../target.ts';
import { formatAddress } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Keeper } from './directory.ts';
import { gatherFacts, type MachineFacts } from './facts.ts';
import { describeKey } from './host-keys.ts';
import { findKernelTree, type KernelTreeChoice } from './kernel-tree.ts';
import { explainLoss } from './loss.ts';
import type { Link } from './pending.ts';
import { SshTarget, type Abilities } from './ssh-target.ts';

/** What a target over an open connection needs beside it, and the abilities its machine has. */
export interface OverOptions extends Abilities {
  /** Where module headers are; undefined: on the target. */
  kernelTree: KernelTreeChoice;
  /** Directory on the target in which the rig makes its own; /tmp unless given. */
  directory?: string | undefined;
  /** How the machine is emulated; `none` unless given. */
  accelerator?: TargetFacts['accelerator'] | undefined;
  /** What programs are built for, where it is not what the kernel is. */
  programs?: TargetFacts['programs'];
  /** Goes into the facts, before what the target says about itself. */
  details?: Record<string, string> | undefined;
}

/** A machine that is up, known by its address. */
export type SshOptions = ConnectionOptions & Pick<OverOptions, 'kernelTree' | 'directory'>;

/**
 * Connects to a machine and makes it ready for use.
 * @throws LabError the errors of {@link Connection.open} and of {@link sshTargetOver}
 */
export async function openSshTarget(options: SshOptions, deadline: Deadline): Promise<Target> {
  return sshTargetOver(await Connection.open(options, deadline), options, deadline);
}

/**
 * Makes a machine that is already connected ready for use. When that fails, the connection is closed
 * and `onClose` is not called: the machine is still the caller's.
 * @throws LabError `TARGET_FACTS`, `TARGET_SUDO`, `KERNEL_TREE_MISSING`, `KERNEL_TREE_WRONG`,
 *   `TARGET_DISK`, `LINK_LOST` (with what `whyDead` says), `DEADLINE`
 */
export async function sshTargetOver(
  connection: Connection,
  options: OverOptions,
  deadline: Deadline,
): Promise<Target> {
  try {
    const wanted = options.kernelTree?.where === 'target' ? options.kernelTree.directory : undefined;
    const machine = await gatherFacts(connection, wanted, deadline);
    const prefix = machine.uid === 0 ? [] : ['sudo', '-n', '--'];
    if (machine.uid !== 0) await checkSudo(connection, prefix, deadline);
    const { who } = connection;
    const kernelTree = await findKernelTree(options.kernelTree, who, machine.kernelRelease, machine.native);
    const keeper = await Keeper.start(connection, prefix, options.directory ?? '/tmp', deadline);
    const facts = describe(connection.name, machine, options);
    Object.assign(facts.details, {
      address: formatAddress(connection.address),
      'SSH server': connection.banner,
      'host key': describeKey(connection.hostKey.blob),
      ...(prefix.length === 0 ? {} : { root: `through ${prefix.join(' ')}` }),
    });
    return new SshTarget(
      { connection, keeper, facts, kernelTree, prefix, path: adminPath(machine.path) },
      options,
    );
  } catch (error) {
    await connection.close();
    throw await explainLoss(error, options.whyDead);
  }
}

/**
 * A machine that was looked at before, and that ends when the target is closed.
 * @param name of the target
 * @param directory on the machine that is the rig's own
 */
export function knownTargetOver(
  connection: Link,
  name: string,
  machine: MachineFacts,
  directory: string,
  options: Omit<OverOptions, 'kernelTree' | 'directory'> & { kernelTree: KernelTree },
): Target {
  const { kernelTree } = options;
  const facts = describe(name, machine, options);
  const path = adminPath(machine.path);
  return new SshTarget({ connection, keeper: { directory }, facts, kernelTree, prefix: [], path }, options);
}

/** The login shell's PATH, with the places where programs for administrators are. */
function adminPath(path: string): string {
  const admin = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];
  return [...new Set([...path.split(':').filter((part) => part.startsWith('/')), ...admin])].join(':');
}

async function checkSudo(
  connection: Connection,
  prefix: readonly string[],
  deadline: Deadline,
): Promise<void> {
  const result = await connection.exec([...prefix, 'true'], { deadline });
  if (result.code === 0) return;
  const { user } = connection.address;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').join('; ');
  throw new LabError(
    'TARGET_SUDO',
    `${connection.who}: ${user} is not root and cannot become root: sudo -n: ${said}`,
    {
      hint: `log in as root, or on the target as root: echo '${user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/bufrig`,
    },
  );
}

function describe(
  name: string,
  machine: MachineFacts,
  { details, accelerator = 'none', programs }: Pick<OverOptions, 'details' | 'accelerator' | 'programs'>,
): TargetFacts {
  return {
    name,
    kernelRelease: machine.kernelRelease,
    machine: machine.machine,
    pageBytes: machine.pageBytes,
    ...(programs === undefined ? {} : { programs }),
    bootId: machine.bootId,
    accelerator,
    details: {
      ...details,
      ...(machine.model === undefined ? {} : { model: machine.model }),
      'kernel version': machine.kernelVersion,
    },
  };
}
