// SPDX-License-Identifier: MIT
/** The shell scripts that run on a target, as argument arrays. Values are parameters, never pasted in. */
import { readFileSync } from 'node:fs';

/** Environment variable that scripts/sweep.sh finds the rig's processes by. */
const MARK = 'BUFRIG_PROCESS';

function script(name: string): string {
  return readFileSync(new URL(`scripts/${name}.sh`, import.meta.url), 'utf8');
}

/** @param tree kernel build tree to look for; empty for the usual place */
export function factsScript(tree: string): string[] {
  return ['sh', '-c', script('facts'), 'facts', tree];
}

/** @param freeKiB what must be free under `parent` */
export function keeperScript(parent: string, freeKiB: number): string[] {
  return ['sh', '-c', script('sweep') + script('keeper'), 'keeper', parent, String(freeKiB)];
}

/** Kills the processes started under one mark, see {@link marked}. */
export function killScript(mark: string): string[] {
  return ['sh', '-c', `${script('sweep')}sweep "$1"`, 'sweep', mark];
}

/** {@link putScript} for a machine of the rig's own: SSH sees to it that what arrives is what was sent. */
export function plainPutScript(path: string): string[] {
  return ['sh', '-c', 'cat >"$1" && chmod 700 "$1"', 'put', path];
}

export function putScript(path: string, bytes: number, sha256: string): string[] {
  return ['sh', '-c', script('put'), 'put', path, String(bytes), sha256];
}

/**
 * What a command of the rig's has in its environment: a mark, a PATH that has the administrator's
 * programs, and messages in English, which is what the rig can read.
 */
export function environmentOf(mark: string, path: string): Record<string, string> {
  return { [MARK]: `${mark}/`, PATH: path, LC_ALL: 'C' };
}

/** The command that runs `argv` in {@link environmentOf}. */
export function marked(mark: string, path: string, argv: readonly string[]): string[] {
  const variables = Object.entries(environmentOf(mark, path)).map(([name, value]) => `${name}=${value}`);
  return ['env', ...variables, ...argv];
}
