// SPDX-License-Identifier: MIT
/**
 * Waiting for a machine that is starting. Only trouble that goes away by itself is waited out; a
 * wrong key or a refused login is told at once, and a machine that has died ends the wait.
 */
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

/** What a machine looks like from outside while it boots or reboots. */
const PASSING = new Set(['SSH_REFUSED', 'SSH_NO_BANNER', 'SSH_UNREACHABLE', 'LINK_LOST']);

/** Milliseconds between two attempts. */
const PAUSE = 100;
/**
 * Milliseconds the first attempt listens for a banner; each later one twice as long, up to the usual
 * limit. A forwarded port accepts before anybody listens behind it and then stays silent, so a fresh
 * connection finds a server that came up sooner than an old one does.
 */
const FIRST_BANNER = 1000;
const LAST_BANNER = 16_000;

/**
 * Opens a connection as soon as the machine's SSH server lets us in.
 * @param whyStop the machine's account of how it died, or undefined while it lives; asked all the time
 * @throws LabError `TARGET_DIED` as soon as `whyStop` speaks, `SSH_TIMEOUT` with the last trouble when
 *   the deadline passes, and at once what no waiting cures: the other errors of {@link Connection.open}, and any when
 *   `options.signal` is aborted
 */
export async function waitForSsh(
  options: ConnectionOptions,
  deadline: Deadline,
  whyStop: () => string | undefined,
): Promise<Connection> {
  const patience = options.patience ?? 1;
  let last: LabError | undefined;
  for (let bannerLimit = FIRST_BANNER; ; bannerLimit = Math.min(2 * bannerLimit, LAST_BANNER)) {
    const attempt = await openUnlessDead(
      { ...options, bannerLimit: bannerLimit * patience },
      deadline,
      whyStop,
    );
    if (attempt instanceof Connection) return attempt;
    if (options.signal?.aborted === true) throw attempt;
    if (!PASSING.has(attempt.code) && !deadline.expired) throw attempt;
    last = deadline.expired && last !== undefined ? last : attempt;
    if (deadline.expired) throw tooLate(options.name, deadline, last);
    await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE, deadline.remaining)));
  }
}

async function openUnlessDead(
  options: ConnectionOptions,
  deadline: Deadline,
  whyStop: () => string | undefined,
): Promise<Connection | LabError> {
  const giveUp = new AbortController();
  const { signal = giveUp.signal } = options;
  let watch: NodeJS.Timeout | undefined;
  const death = new Promise<never>((_, reject) => {
    const look = (): void => {
      const why = whyStop();
      if (why !== undefined)
        reject(new LabError('TARGET_DIED', `${options.name}: died before SSH came up: ${why}`));
    };
    look();
    watch = setInterval(look, PAUSE);
  });
  const both = AbortSignal.any([giveUp.signal, signal]);
  const opening = Connection.open({ ...options, signal: both }, deadline).catch((error: unknown) => {
    if (error instanceof LabError) return error;
    throw error;
  });
  try {
    return await Promise.race([death, opening]);
  } catch (error) {
    giveUp.abort();
    throw error;
  } finally {
    clearInterval(watch);
  }
}

function tooLate(name: string, deadline: Deadline, last: LabError): LabError {
  const waited = `${(deadline.total / 1000).toFixed(1)} s`;
  return new LabError('SSH_TIMEOUT', `${name}: no SSH login within ${waited}; at last: ${last.message}`, {
    cause: last,
  });
}
