// SPDX-License-Identifier: MIT
/** An agent on this machine, over pipes: for trying it out and for the rig's own tests. */
import { spawn } from 'node:child_process';
import { LabError } from '../errors.ts';
import type { RemoteProcess } from '../target/target.ts';

export interface LocalProcess extends RemoteProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Kills this process and no other; nothing happens when it has ended or never began. */
  kill(): void;
  /** Reads no more of its output, as if the link were gone. */
  closeStdout(): void;
}

/** Starts a program with its streams open. It ends when this process does: its input ends then. */
export function startLocally(path: string, args: readonly string[] = []): LocalProcess {
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<Awaited<RemoteProcess['ended']>>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new LabError('SPAWN_FAILED', `cannot start ${path}: ${cause.message}`, { cause })),
    );
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  // A process that is gone is told of by `ended`, not by the pipe.
  child.stdin.on('error', () => {});
  return {
    pid: child.pid,
    ended,
    kill: () => void child.kill('SIGKILL'),
    closeStdout: () => void child.stdout.destroy(),
    write: (data) => void child.stdin.write(data),
    end: () => void child.stdin.end(),
    onStdout: (listener) => void child.stdout.on('data', listener),
    onStderr: (listener) => void child.stderr.on('data', listener),
  };
}
