// SPDX-License-Identifier: MIT
/** A way to run programs on a machine that is shorter than SSH, where the machine has one. */
import type { LabError } from '../../errors.ts';
import type { Result } from '../../process.ts';
import type { ExecOptions, RemoteProcess } from '../target.ts';

export interface Nearby {
  /**
   * Runs a command to its end.
   * @param environment added to that of a login
   * @returns undefined when there is no room for one more
   * @throws LabError `LINK_LOST`, `DEADLINE`
   */
  exec(
    argv: readonly string[],
    environment: Readonly<Record<string, string>>,
    options: ExecOptions,
  ): Promise<Result> | undefined;
  /** The command that writes its input into a file there, for its owner to run. */
  putting(path: string): string[];
  /**
   * Starts a program of the rig's and leaves its streams open.
   * @returns undefined when there is no room for one more
   */
  start(argv: readonly string[], environment: Readonly<Record<string, string>>): RemoteProcess | undefined;
  /** The machine counts as lost: so does all that runs there. */
  lose(why: LabError): void;
}
