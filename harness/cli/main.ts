// SPDX-License-Identifier: MIT
/** Finds the verb, gives it what it may know of its surroundings, and turns what it throws into words. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError, messageOf, RigError } from '../errors.ts';
import { exitStatus } from '../report/exit-status.ts';
import { absolutePaths, settingsFrom } from '../settings.ts';
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
    // What is started from here has another working directory, and has to mean the same files.
    const workingDirectory = workingDirectoryOf(environment, project);
    Object.assign(environment, absolutePaths(environment, workingDirectory));
    const settings = settingsFrom(environment, project);
    const context = {
      project,
      ...{ settings, workingDirectory },
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
    return statusOf(error);
  }
}

/** Where the user is: npm has moved us to the checkout's top. */
function workingDirectoryOf(
  { INIT_CWD }: Readonly<Record<string, string | undefined>>,
  project: string,
): string {
  const here = process.cwd();
  return resolve(project) === here && INIT_CWD !== undefined ? INIT_CWD : here;
}

/** What was asked for makes no sense. */
const SENSELESS = ['USAGE', 'BAD_ARGUMENT', 'BAD_SETTING', 'MUTANT'];

/** Nothing was found out about the driver when the lab failed, also before a test began: `git bisect run` skips that. */
function statusOf(error: unknown): number {
  if (!(error instanceof LabError)) return exit.failed;
  return SENSELESS.includes(error.code) ? exit.notSetUp : exitStatus.lab;
}

function isHelp(arg: string): boolean {
  return arg === '-h' || arg === '--help';
}
