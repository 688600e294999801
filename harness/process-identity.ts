// SPDX-License-Identifier: MIT
/**
 * Who made a temporary folder, so that what a killed process left can be told from what a living one
 * uses. A process id alone will not do: ids come round again, and mean nothing in another namespace.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** `<pid namespace>-<pid>-<start time in clock ticks>` of this process. */
export function ownIdentity(): string {
  return identityOf(process.pid) ?? `${pidNamespace()}-${process.pid}-0`;
}

/** Whether that process lives; undefined when it is of another pid namespace, whose life cannot be seen from here. */
export function isAlive(identity: string): boolean | undefined {
  const [namespace, pid] = identity.split('-');
  if (namespace !== pidNamespace()) return undefined;
  return identityOf(Number(pid)) === identity;
}

function identityOf(pid: number): string | undefined {
  try {
    // proc(5), /proc/pid/stat: the name in parentheses may hold anything, so count from the last one.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return `${pidNamespace()}-${pid}-${fields[19]}`;
  } catch {
    return undefined;
  }
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
}
