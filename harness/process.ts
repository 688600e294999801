// SPDX-License-Identifier: MIT
/**
 * Local processes: run one to its end, or start one that must not outlive the rig.
 * Arguments are arrays to the last step; nothing here goes through a shell.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { LabError } from './errors.ts';
import type { Deadline } from './deadline.ts';

/** How a process ended. Exactly one of `code` and `signal` is set; neither is ever read as success. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Result extends Ending {
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  /** Added to this process's environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>;
  input?: string | Buffer;
  deadline?: Deadline;
  /** Called with each piece of output as it comes. */
  onOutput?: (text: string) => void;
}

/** A command of ours ended badly; carries what it printed. */
export class CommandFailed extends LabError {
  readonly result: Result;

  constructor(argv: readonly string[], result: Result, hint?: string) {
    const how = result.signal === null ? `exited with ${result.code}` : `was killed by ${result.signal}`;
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-20).join('\n');
    super('COMMAND_FAILED', `${argv.join(' ')} ${how}${said === '' ? '' : `:\n${said}`}`, { hint });
    this.result = result;
  }
}

/**
 * Runs a command to its end and returns how it ended, whatever that was.
 * @throws LabError `SPAWN_FAILED` when it cannot be started, `DEADLINE` when it takes too long (it is killed)
 */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Result> {
  const child = spawn(argv[0], argv.slice(1), spawnOptions(options));
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    into.push(chunk);
    options.onOutput?.(chunk.toString());
  };
  child.stdout?.on('data', keep(stdout));
  child.stderr?.on('data', keep(stderr));
  // A child that exits before it has read its input is judged by its exit, not by our EPIPE.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  const ended = endOf(child, argv[0]);
  try {
    const ending = await (options.deadline?.race(ended, `running ${argv.join(' ')}`) ?? ended);
    return {
      ...ending,
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
    };
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

/** Like {@link run}, but insists on exit code 0. @throws CommandFailed */
export async function runOk(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Result> {
  const result = await run(argv, options);
  if (result.code !== 0) throw new CommandFailed(argv, result);
  return result;
}

/**
 * Starts a process in a session of its own, so that Ctrl-C in the terminal reaches the rig but not
 * the process (the rig takes it down in order), and tied to this process by PR_SET_PDEATHSIG, so
 * that it dies even when the rig is killed with SIGKILL.
 */
export function startOwned(argv: readonly [string, ...string[]], options: SpawnOptions = {}): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { ...options, detached: true });
}

/** Resolves when the process has ended and its output is read. @throws LabError `SPAWN_FAILED` */
export function endOf(child: ChildProcess, name: string): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = cause.code === 'ENOENT' ? 'npm start installs what the host lacks' : undefined;
      reject(new LabError('SPAWN_FAILED', `cannot start ${name}: ${cause.message}`, { cause, hint }));
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function spawnOptions(options: RunOptions): SpawnOptions {
  return {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: options.env === undefined ? undefined : { ...process.env, ...options.env },
  };
}
