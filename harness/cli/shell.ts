// SPDX-License-Identifier: MIT
/**
 * The one place for zx: programs of node_modules that take over the terminal. Not through npx, which
 * puts itself between them and the signals.
 */
import { join } from 'node:path';
import { $ } from 'zx';
import { INTERRUPTED } from './interruption.ts';

/**
 * Runs a program of this checkout's node_modules with our terminal, to its end.
 *
 * Ctrl-C reaches it as well as us, since it stays in our process group. It must be left to take its
 * guests down in order, so we wait for that. SIGTERM is for us only, and our death is seen by nobody:
 * for the program both are a Ctrl-C.
 * @returns its exit status, {@link INTERRUPTED} after Ctrl-C or SIGTERM
 */
export async function runTool(project: string, tool: string, args: readonly string[]): Promise<number> {
  const program = join(project, 'node_modules/.bin', tool);
  let interrupted = false;
  const wait = (): void => void (interrupted = true);
  process.on('SIGINT', wait);
  const running = $({
    cwd: project,
    stdio: 'inherit',
    nothrow: true,
    prefix: '',
  })`setpriv --pdeathsig INT -- ${program} ${[...args]}`;
  const passOn = (): void => {
    wait();
    running.child?.kill('SIGINT');
  };
  process.on('SIGTERM', passOn);
  try {
    const { exitCode } = await running;
    // Not an exit status is not a success.
    return interrupted ? INTERRUPTED : (exitCode ?? 1);
  } finally {
    process.off('SIGINT', wait);
    process.off('SIGTERM', passOn);
  }
}
