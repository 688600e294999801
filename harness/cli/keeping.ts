// SPDX-License-Identifier: MIT
/** A process that keeps a guest up after the command that asked for it has ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cache } from '../build/cache.ts';
import { Deadline } from '../deadline.ts';
import { LabError } from '../errors.ts';
import { isAlive } from '../process-identity.ts';
import { forgetKept, keptGuest, noteKept, type KeptGuest } from '../target/kept.ts';
import { openTarget } from '../target/open.ts';
import type { QemuSpec } from '../target/spec.ts';
import type { Context } from './verb.ts';

/** Milliseconds; the first time ever includes downloads. */
const OPEN_LIMIT = 15 * 60_000;
/** Milliseconds in which a keeper that was told to end must have ended. */
const END_LIMIT = 30_000;
/** Milliseconds between two looks at whether the guest is alive. */
const LOOK = 1000;

/** Boots the guest and keeps it until SIGTERM or SIGINT, or until it dies. @throws LabError those of booting, `GUEST_DIED` */
export async function keep({ settings, terminal }: Context, guest: QemuSpec): Promise<void> {
  const say = (line: string) => terminal.line(line);
  const cache = new Cache(settings.cacheRoot, { onProgress: say });
  const deadline = Deadline.in(OPEN_LIMIT);
  const target = await openTarget(guest, { settings, cache, deadline, announce: say });
  const told = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => true as const);
  try {
    // Whoever uses it knows it as a board, all of whose processors are at work.
    await target.restingProcessors?.wake();
    const { facts, kernelTree, console } = target;
    const { address = '', fingerprint, 'login key': key = '' } = facts.details;
    const spec = {
      ...{ kind: 'ssh' as const, name: `${facts.name}-kept`, address, identities: [key] },
      ...{ hostKey: fingerprint, kernelTree: kernelTree.directory, programs: guest.programs },
      slowness: target.patience,
    };
    const release = facts.kernelRelease;
    await noteKept(settings.cacheRoot, { spec, release, console: console?.file ?? '' });
    while (!(await Promise.race([told, sleep(LOOK, false)]))) {
      const why = target.whyDead?.();
      if (why !== undefined) throw new LabError('GUEST_DIED', `${facts.name} died: ${why}`);
    }
  } finally {
    await forgetKept(settings.cacheRoot);
    await target.close();
  }
}

/**
 * Starts a process that keeps the guest, and waits until the guest is there.
 * @throws LabError `NOT_UP` with what the process said
 */
export async function startKeeper({ settings }: Context, guest: QemuSpec): Promise<KeptGuest> {
  const door = fileURLToPath(new URL('bufrig.mjs', import.meta.url));
  await mkdir(settings.cacheRoot, { recursive: true });
  const logFile = join(settings.cacheRoot, 'kept.log');
  const log = await open(logFile, 'w', 0o600);
  const keeper = spawn(process.execPath, [door, 'up', '--stay', guest.name], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = once(keeper, 'exit').then(() => true as const);
  const giveUp = () => keeper.kill('SIGTERM');
  process.once('SIGINT', giveUp);
  try {
    for (;;) {
      const kept = await keptGuest(settings.cacheRoot);
      if (kept?.pid === keeper.pid && kept !== undefined) return kept;
      if (await Promise.race([ended, sleep(100, false)])) {
        const said = await readFile(logFile, 'utf8');
        throw new LabError('NOT_UP', `${guest.name} did not come up:\n${said.trim()}`);
      }
    }
  } finally {
    process.off('SIGINT', giveUp);
    keeper.unref();
  }
}

/** Ends the guest that is kept up. @returns whether there was one */
export async function endKeeper({ settings }: Context): Promise<KeptGuest | undefined> {
  const kept = await keptGuest(settings.cacheRoot);
  if (kept === undefined) return undefined;
  process.kill(kept.pid, 'SIGTERM');
  const deadline = Deadline.in(END_LIMIT);
  while (isAlive(kept.keeper) === true) {
    // Its guest goes with it, see startOwned().
    if (deadline.expired) process.kill(kept.pid, 'SIGKILL');
    await sleep(50);
  }
  await forgetKept(settings.cacheRoot, kept.keeper);
  return kept;
}
