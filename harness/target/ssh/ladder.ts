// SPDX-License-Identifier: MIT
/**
 * The steps to a usable SSH connection, each with its own error: somebody listens, speaks SSH,
 * shows a host key, lets us in. What is wrong decides whether waiting can help.
 */
import { connect, type Socket } from 'node:net';
import type { Client, ConnectConfig } from 'ssh2';
import type { Deadline } from '../../deadline.ts';
import { LabError, messageOf } from '../../errors.ts';

/** Milliseconds each step may take on real hardware; multiplied by the target's patience. */
export const STEP_LIMITS = { connect: 10_000, banner: 10_000, login: 30_000, shell: 15_000 } as const;

/** How a connection that breaks is worded by Node, by ssh2 and by us. */
const CUT = /ECONNRESET|EPIPE|closed|lost/i;

const LISTENER_HINT = 'check that the SSH server runs on the target and that the port is right';

/** @throws LabError `SSH_NAME`, `SSH_REFUSED`, `SSH_UNREACHABLE` */
export async function reachPort(
  { host, port }: { host: string; port: number },
  who: string,
  limit: Deadline,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const socket = connect({ host, port, signal });
  // Errors after this step are told by whoever uses the socket then; one must always be listening.
  socket.on('error', () => {});
  socket.setNoDelay(true);
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  try {
    await limit.race(connected, 'connecting');
    return socket;
  } catch (cause) {
    socket.destroy();
    throw unreached(cause, who, limit);
  }
}

function unreached(cause: unknown, who: string, limit: Deadline): LabError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ECONNREFUSED')
    return new LabError('SSH_REFUSED', `${who}: nothing listens there (connection refused)`, {
      cause,
      hint: LISTENER_HINT,
    });
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new LabError('SSH_NAME', `${who}: the host name does not resolve (${code})`, {
      cause,
      hint: 'check the spelling, or give the address instead of the name',
    });
  const why = code === 'DEADLINE' ? `no answer within ${seconds(limit)}` : messageOf(cause);
  return new LabError('SSH_UNREACHABLE', `${who}: cannot be reached: ${why}`, {
    cause,
    hint: 'check that the target has power and network, and that no firewall drops the packets',
  });
}

/** What the steps above TCP came to: we are in, our own verifier refused the key, or none was shown. */
export type Login =
  | { kind: 'in'; banner: string; key: Buffer }
  | { kind: 'host-key'; key: Buffer }
  | { kind: 'no-common-host-key' };

export interface LoginSteps {
  who: string;
  accepts: (hostKey: Buffer) => boolean;
  /** Builds the error for a login that the server did not grant; `cut`: it did not say so itself. */
  notLetIn: (why: string, cut: boolean) => LabError;
  banner: Deadline;
  login: Deadline;
  config: ConnectConfig;
}

/**
 * Drives an ssh2 client over a connected socket up to the login.
 * @throws LabError `SSH_NO_BANNER`, `SSH_HANDSHAKE`, `SSH_AUTH`, `LINK_LOST`, `DEADLINE`
 */
export async function logIn(client: Client, socket: Socket, steps: LoginSteps): Promise<Login> {
  let heard = '';
  let key: Buffer | undefined;
  let accepted = false;
  let exchanged = false;
  const hostVerifier = (blob: Buffer): boolean => {
    key = blob;
    accepted = steps.accepts(blob);
    return accepted;
  };
  const login = new Promise<Login>((resolve, reject) => {
    const fail = (why: string): void => {
      if (!speaksSsh(heard)) reject(noBanner(steps.who, heard, why));
      else if (key !== undefined && !accepted) resolve({ kind: 'host-key', key });
      else if (why.includes('no matching host key')) resolve({ kind: 'no-common-host-key' });
      else if (exchanged) reject(steps.notLetIn(why, CUT.test(why)));
      else reject(handshakeFailed(steps.who, why));
    };
    // A client without a listener for errors takes the whole process down; this one stays for good.
    client.on('error', (error: Error & { level?: string }) => {
      // One key that the agent cannot sign with is not the end; ssh2 goes on to the next.
      if (error.level !== 'agent') fail(error.message);
    });
    client.once('handshake', () => (exchanged = true));
    client.once('ready', () => {
      if (key !== undefined) resolve({ kind: 'in', banner: bannerLine(heard), key });
    });
    client.once('close', () => fail('the server closed the connection'));
  });
  // Until the banner is there, nobody awaits it.
  login.catch(() => {});
  client.connect({ ...steps.config, hostVerifier, sock: socket });
  // ssh2 pauses the socket until it is set up, so listening along here takes nothing away from it.
  const banner = new Promise<void>((resolve) => {
    socket.on('data', function listen(chunk: Buffer) {
      heard += chunk.toString('latin1');
      if (!speaksSsh(heard) && heard.length < 65_536) return;
      socket.off('data', listen);
      resolve();
    });
  });
  await steps.banner.race(Promise.race([banner, login]), '', () =>
    noBanner(steps.who, heard, `it stayed silent for ${seconds(steps.banner)}`),
  );
  return steps.login.race(login, `logging in to ${steps.who}`);
}

/** A server may say other lines before its identification (RFC 4253, 4.2). */
function speaksSsh(heard: string): boolean {
  return /^SSH-[\d.]+-/m.test(heard);
}

function bannerLine(heard: string): string {
  return /^SSH-[^\r\n]*/m.exec(heard)?.[0] ?? '';
}

function noBanner(who: string, heard: string, why: string): LabError {
  const said = heard === '' ? '' : `; it said ${JSON.stringify(heard.slice(0, 80))}`;
  return new LabError(
    'SSH_NO_BANNER',
    `${who}: the port is open, but no SSH server speaks there: ${why}${said}`,
    {
      hint: LISTENER_HINT,
    },
  );
}

function handshakeFailed(who: string, why: string): LabError {
  return CUT.test(why)
    ? new LabError('LINK_LOST', `${who}: the connection broke while keys were exchanged: ${why}`)
    : new LabError('SSH_HANDSHAKE', `${who}: the SSH key exchange failed: ${why}`, {
        hint: 'the SSH server may be too old or too strict; ssh -vv shows what it offers',
      });
}

function seconds(deadline: Deadline): string {
  return `${(deadline.total / 1000).toFixed(1)} s`;
}
