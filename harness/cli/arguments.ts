// SPDX-License-Identifier: MIT
/** What verbs share about their arguments and about a machine that is not set up. */
import { HostIncomplete } from '../build/host-packages.ts';
import { exit, type Context, type Verb } from './verb.ts';

/** The arguments for Playwright: npm already takes a first `--` away, npx does not. */
export function afterDashes(args: readonly string[]): string[] {
  return args[0] === '--' ? args.slice(1) : [...args];
}

/** Ends with status 2 and the command to run when the machine lacks packages that we may not install. */
export function guarded(run: Verb['run']): Verb['run'] {
  return async (context: Context, args) => {
    try {
      return await run(context, args);
    } catch (error) {
      if (!(error instanceof HostIncomplete)) throw error;
      process.stderr.write(`\n${error.message}\n`);
      return exit.notSetUp;
    }
  };
}
