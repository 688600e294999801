// SPDX-License-Identifier: MIT
/**
 * One machine, one user: a lock on a machine that several workers or runs on this host might want.
 * It is a socket in the abstract namespace (unix(7)), which the kernel frees when its owner dies,
 * however it dies. Between hosts a lab needs a coordinator.
 */
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';

export interface Lease {
  release(): Promise<void>;
}

/**
 * Waits until the machine is free and takes it.
 * @param machine what tells machines apart, for example `ssh://root@zcu102.lab:22`
 * @throws LabError `TARGET_BUSY` when it is still taken at the deadline
 */
export async function lease(machine: string, deadline: Deadline): Promise<Lease> {
  for (;;) {
    const server = await claim(`\0bufrig/${machine}`);
    if (server !== undefined) {
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    if (deadline.expired) {
      throw new LabError('TARGET_BUSY', `${machine} is in use by another run on this host`, {
        hint: 'wait for it to end',
      });
    }
    await sleep(100);
  }
}

function claim(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new LabError('LEASE', `cannot take a lock on ${name.slice(1)}: ${error.message}`));
    });
    server.listen(name, () => resolve(server));
    server.unref();
  });
}
