// SPDX-License-Identifier: MIT
/**
 * The rig's own directory on a target, held by a process there (scripts/keeper.sh) that removes it
 * when told to, and also when the rig or the link dies.
 */
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { ChannelProcess } from './channel.ts';
import type { Connection } from './connection.ts';
import { readAnswers } from './facts.ts';
import { keeperScript } from './scripts.ts';

/** Room for the agent, the helpers and a module with debug information, in KiB. */
const NEEDED_KIB = 4096;

const ELSEWHERE =
  'give the target another directory, one that is writable, has room and is not mounted noexec';

export class Keeper {
  readonly directory: string;
  readonly #process: ChannelProcess;
  readonly #who: string;

  private constructor(directory: string, process: ChannelProcess, who: string) {
    this.directory = directory;
    this.#process = process;
    this.#who = who;
  }

  /**
   * @param prefix puts a command into root's hands
   * @param parent directory on the target in which the rig's own is made
   * @throws LabError `TARGET_DISK` when it cannot be made, has no room or runs no programs
   */
  static async start(
    connection: Connection,
    prefix: readonly string[],
    parent: string,
    deadline: Deadline,
  ): Promise<Keeper> {
    const process = await connection.start([...prefix, ...keeperScript(parent, NEEDED_KIB)], ['the keeper']);
    let said = '';
    let complained = '';
    process.onStderr((chunk) => (complained += chunk.toString()));
    const ready = new Promise<string>((resolve) => {
      process.onStdout((chunk) => {
        said += chunk.toString();
        const directory = /^ready=(.+)\n/m.exec(said)?.[1];
        if (directory !== undefined) resolve(directory);
      });
    });
    const refused = process.ended.then(() => undefined);
    const doing = `${connection.who}: making a directory in ${parent}`;
    const directory = await deadline.race(Promise.race([ready, refused]), doing);
    if (directory === undefined) throw unusable(connection.who, parent, said, complained);
    return new Keeper(directory, process, connection.who);
  }

  /**
   * Kills what is left of the rig's processes and removes the directory.
   * @throws LabError `TARGET_CLEANUP` when something stayed, `LINK_LOST`
   */
  async stop(deadline: Deadline): Promise<void> {
    this.#process.end();
    const stayed = (why: string): LabError =>
      new LabError('TARGET_CLEANUP', `${this.#who}: ${this.directory} was not removed: ${why}`, {
        hint: `look for processes that cannot be killed there, then remove ${this.directory} by hand`,
      });
    const ending = await deadline.race(this.#process.ended, '', () =>
      stayed('the target takes too long over it'),
    );
    if (ending.code !== 0)
      throw stayed(`its keeper ended with ${ending.signal ?? `exit code ${ending.code}`}`);
  }
}

function unusable(who: string, parent: string, said: string, complained: string): LabError {
  const answers = readAnswers(said);
  const own = complained.trim();
  const why: Record<string, string> = {
    create: 'a directory cannot be made there',
    full: `there is no room: ${answers.get('free') ?? 'no'} KiB are free and ${NEEDED_KIB} KiB are needed`,
    noexec: 'programs cannot be run from there (noexec?)',
  };
  const told = why[answers.get('failed') ?? ''] ?? 'the shell script that looks after it failed';
  const mount = mountOf(parent, said);
  const lines = [
    `${who}: ${parent} cannot hold the rig's files: ${told}`,
    ...(own === '' ? [] : [`  it said  ${own.split('\n').slice(-3).join('\n           ')}`]),
    ...(mount === undefined ? [] : [`  mount    ${mount}`]),
  ];
  return new LabError('TARGET_DISK', lines.join('\n'), { hint: ELSEWHERE });
}

/** The line of /proc/mounts for the file system a directory lies on: the longest mount point above it. */
export function mountOf(directory: string, mounts: string): string | undefined {
  let best: { point: string; line: string } | undefined;
  for (const line of mounts.split('\n')) {
    const [, point, type] = line.split(' ');
    if (point === undefined || type === undefined) continue;
    const above = point === '/' || directory === point || directory.startsWith(`${point}/`);
    // Of two mounts on one point the later hides the earlier.
    if (above && point.length >= (best?.point.length ?? 0)) best = { point, line };
  }
  return best?.line;
}
