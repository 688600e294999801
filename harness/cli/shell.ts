// SPDX-License-Identifier: MIT
/**
 * The one place for zx: programs of node_modules that take over the terminal. Not through npx, which
 * puts itself between them and the signals.
 */
import { join } from 'node:path';
import { $ } from 'zx';

const wait = (): void => {};

/**
 * Runs a program of this checkout's node_modules with our terminal, to its end.
 *
 * Ctrl-C reaches it as well as us, since it stays in our process group. It must be left to take its
 * guests down in order, so we ignore the signal and wait for its answer.
 * @returns its exit status; 128 and the number of the signal when one ended it
 */
export async function runTool(project: string, tool: string, args: readonly string[]): Promise<number> {
  const program = join(project, 'node_modules/.bin', tool);
  process.on('SIGINT', wait);
  try {
    const result = await $({
      cwd: project,
      stdio: 'inherit',
      nothrow: true,
      prefix: '',
    })`${program} ${[...args]}`;
    // Not an exit status is not a success.
    return result.exitCode ?? 1;
  } finally {
    process.off('SIGINT', wait);
  }
}
