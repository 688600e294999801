// SPDX-License-Identifier: MIT
/**
 * The exit status of a run. Playwright knows 0, 1 (something failed) and 130 (interrupted); a script
 * that bisects a driver has to tell "the driver is bad" from "it could not be tested".
 */

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
