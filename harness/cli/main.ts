// SPDX-License-Identifier: MIT
/** Finds the verb, gives it what it may know of its surroundings, and turns what it throws into words. */
import { fileURLToPath } from 'node:url';
import { messageOf, RigError } from '../errors.ts';
import { settingsFrom } from '../settings.ts';
import { Terminal } from './terminal.ts';
import { exit } from './verb.ts';
import { verbs } from './verbs.ts';

/** @returns the exit status */
export async function main(args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args.map((arg, index) => (index === 0 && isHelp(arg) ? 'help' : arg));
  const load = verbs[name];
  if (load === undefined) {
    process.stderr.write(`bufrig has no verb ${name}; it has ${Object.keys(verbs).join(', ')}\n`);
    return exit.notSetUp;
  }
  const project = fileURLToPath(new URL('../../', import.meta.url));
  const environment = process.env;
  try {
    const settings = settingsFrom(environment, project);
    const context = {
      project,
      settings,
      terminal: new Terminal(process.stdout),
      searchPath: settings.searchPath,
      unattended: environment['CI'] !== undefined || !process.stdin.isTTY,
      environment,
    };
    return await (await load()).run(context, rest);
  } catch (error) {
    // Our own errors say what to do; anything else is a bug in the rig and needs its stack.
    const text = error instanceof RigError || !(error instanceof Error) ? messageOf(error) : error.stack;
    process.stderr.write(`\n${text}\n`);
    return exit.failed;
  }
}

function isHelp(arg: string): boolean {
  return arg === '-h' || arg === '--help';
}
