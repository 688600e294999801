// SPDX-License-Identifier: MIT
/** What a verb of the command line is. A further verb is one file in verbs/ and one line in verbs.ts. */
import type { Settings } from '../settings.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  /** Absolute path of the checkout. */
  project: string;
  settings: Settings;
  /** Absolute path of the folder that the user is in: relative paths in arguments start there. */
  workingDirectory: string;
  terminal: Terminal;
  /** Directories where programs are looked for. */
  searchPath: string[];
  /** Nobody is there to answer a question. */
  unattended: boolean;
  /** All of the environment, for `npx bufrig help`. */
  environment: Record<string, string | undefined>;
}

export interface Verb {
  /** One line for the help. */
  summary: string;
  /** Arguments, as the help shows them after the verb's name. */
  usage?: string;
  /** @returns the exit status */
  run(context: Context, args: readonly string[]): Promise<number>;
}

/** Exit statuses of our own; Playwright's are passed on as they are. */
export const exit = {
  ok: 0,
  failed: 1,
  /** The machine is not set up and the rig may not do it, or the arguments make no sense. */
  notSetUp: 2,
} as const;
