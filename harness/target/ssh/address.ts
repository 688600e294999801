// SPDX-License-Identifier: MIT
/** Where a machine listens for SSH and as whom to log in, and its one way of writing: `ssh://user@host:port`. */
import { LabError } from '../../errors.ts';

export interface SshAddress {
  user: string;
  /** Name or address; an IPv6 address stands here without brackets. */
  host: string;
  port: number;
}

const SHAPE =
  /^ssh:\/\/(?:(?<login>[^@/]*)@)?(?<host>\[[^\]]*\]|[^:/?#@[\]]*)(?::(?<port>[^/?#]*))?(?<rest>.*)$/s;

/**
 * Reads `ssh://[user@]host[:port]`; user root and port 22 are the defaults, IPv6 goes in brackets.
 * @throws LabError `SSH_ADDRESS` for anything else, a password and a path included
 */
export function parseAddress(text: string): SshAddress {
  const parts = SHAPE.exec(text)?.groups;
  if (parts === undefined) throw unreadable(text, 'it does not begin with ssh://');
  const { login, host = '', port, rest } = parts;
  if (login?.includes(':') === true)
    throw unreadable(
      withoutPassword(text),
      'a password in it would end up in logs; use a key or the SSH agent',
    );
  if (login !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.$-]*$/.test(login))
    throw unreadable(text, `${JSON.stringify(login)} is not a user name`);
  if (rest !== '')
    throw unreadable(text, `${JSON.stringify(rest)} follows the port; the address takes no path`);
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  const hostShape = host.startsWith('[') ? /^[0-9A-Fa-f:.]+(%[\w.-]+)?$/ : /^[A-Za-z0-9_.-]+$/;
  if (!hostShape.test(bare)) throw unreadable(text, `${JSON.stringify(bare)} is not a host name or address`);
  return { user: login ?? 'root', host: bare, port: port === undefined ? 22 : parsePort(text, port) };
}

/** The address as the user writes it; port 22 is left out. */
export function formatAddress({ user, host, port }: SshAddress): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  return `ssh://${user}@${shown}${port === 22 ? '' : `:${port}`}`;
}

function parsePort(text: string, port: string): number {
  const value = Number(port);
  if (!/^\d{1,5}$/.test(port) || value < 1 || value > 65_535)
    throw unreadable(text, `${JSON.stringify(port)} is not a port`);
  return value;
}

function withoutPassword(text: string): string {
  return text.replace(/^(ssh:\/\/[^:@/]*):[^@]*@/, '$1:***@');
}

function unreadable(text: string, why: string): LabError {
  return new LabError('SSH_ADDRESS', `cannot read the SSH address ${JSON.stringify(text)}: ${why}`, {
    hint: 'ssh://user@host:port, for example ssh://root@192.168.7.2 or ssh://root@[fe80::1%eth0]:2222',
  });
}
