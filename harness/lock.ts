// SPDX-License-Identifier: MIT
/**
 * One holder at a time among all processes of this user on this machine. The lock is a listening
 * socket in Linux's abstract namespace: the kernel drops it with its process, however that dies, so
 * there is nothing to go stale. Those who wait hold a connection to it and are woken by its end.
 */
import { createHash } from 'node:crypto';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * Runs `work` while holding the lock called `name`. Not reentrant.
 * @param onWait called once when somebody else holds it
 */
export async function withLock<T>(name: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const path = pathOf(name);
  let release = await take(path);
  if (release === undefined) onWait?.();
  while (release === undefined) {
    await untilFree(path);
    release = await take(path);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}

/**
 * Takes the lock called `name` until this process ends.
 * @returns false when somebody else has it
 */
export async function holdLock(name: string): Promise<boolean> {
  return (await take(pathOf(name))) !== undefined;
}

function pathOf(name: string): string {
  return `\0bufrig-${createHash('sha256').update(`${process.getuid?.()}:${name}`).digest('hex').slice(0, 32)}`;
}

type Release = () => Promise<void>;

/** Binds the socket and returns how to let go of it, or undefined when somebody else has it. */
function take(path: string): Promise<Release | undefined> {
  const waiting = new Set<Socket>();
  const server: Server = createServer((socket) => {
    waiting.add(socket.on('error', () => {}).on('close', () => waiting.delete(socket)));
  });
  return new Promise((resolve, reject) => {
    // A process that has nothing else to do any more may end.
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      resolve(
        () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of waiting) socket.destroy();
          }),
      );
    });
  });
}

/** Resolves when the holder let go or died, and when there is none. */
function untilFree(path: string): Promise<void> {
  return new Promise((resolve) => {
    createConnection(path)
      .on('error', () => resolve())
      .on('close', () => resolve())
      .resume();
  });
}
