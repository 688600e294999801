// SPDX-License-Identifier: MIT
/**
 * The exit status of a run. Playwright knows 0, 1 (something failed) and 130 (interrupted); a script
 * that bisects a driver has to tell "the driver is bad" from "it could not be tested".
 */

import { messageOf } from '../errors.ts';

/** The meaning of the statuses the rig adds to or refines of Playwright's. */
export const exitStatus = {
  /** A claim failed, the kernel crashed or hung, or the rig's own tests failed. */
  red: 1,
  /** Only the lab failed. `git bisect run` skips a commit that ends with it. */
  lab: 125,
} as const;

/** When the process is about to end with status `from`, it ends with `to` instead. */
export function replaceExitStatus(from: number, to: number): void {
  // The runner calls process.exit() itself after every reporter had its say.
  process.once('exit', (code) => {
    if (code === from) process.exitCode = to;
  });
}

/** Why reports could not be written, as far as that is this machine's fault: a full disk, no right to write. */
const unwritten: string[] = [];

/** Of the reporters so far; the last one takes it into its account. */
export function unwrittenReports(): readonly string[] {
  return unwritten;
}

/**
 * A reporter could not do its work. Playwright only prints what a reporter throws; a run whose report
 * is missing must not look green.
 */
export function reporterFailed(reporter: string, error: unknown): { status: 'failed' } {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`\nThe ${reporter} could not be written: ${reason}\n`);
  if (blamesMachine(error)) unwritten.push(`the ${reporter} could not be written: ${messageOf(error)}`);
  return { status: 'failed' };
}

/** Whether an error is about this machine's disk. */
export function blamesMachine(error: unknown): boolean {
  return /\b(ENOSPC|EDQUOT|EROFS|EACCES|EIO)\b|no space left on device/i.test(messageOf(error));
}
