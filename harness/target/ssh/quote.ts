// SPDX-License-Identifier: MIT
/**
 * The one place where an argument array becomes a line for a shell on the target. SSH carries a
 * command as one string that the user's login shell parses; quoting is POSIX (no `$'...'`, which
 * dash and older busybox shells do not know).
 */
import { LabError } from '../../errors.ts';

/** Needs no quotes in any position; `=` and `~` are left out because some shells expand them. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One word for a POSIX shell.
 * @throws LabError `ARGUMENT` for a NUL byte, which no argument of a process can hold
 */
export function quoteWord(word: string): string {
  if (word.includes('\0'))
    throw new LabError('ARGUMENT', `an argument cannot hold a NUL byte: ${JSON.stringify(word)}`);
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * The command line that runs `argv` unchanged. It starts with `exec`, so that the process takes the
 * place of the login shell and a signal that kills it is reported as a signal, not as 128 + n.
 * @throws LabError `ARGUMENT` when there is no program name
 */
export function commandLine(argv: readonly string[]): string {
  if (argv[0] === undefined || argv[0] === '')
    throw new LabError('ARGUMENT', 'there is no program to run: the argument array is empty');
  return `exec ${argv.map(quoteWord).join(' ')}`;
}
