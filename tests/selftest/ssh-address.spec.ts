// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { expect, test } from '@playwright/test';
import { formatAddress, parseAddress } from '../../harness/target/ssh/address.ts';
import { commandLine } from '../../harness/target/ssh/quote.ts';

const readable = [
  ['ssh://board', 'root', 'board', 22, 'ssh://root@board'],
  ['ssh://pi@192.168.7.2:2222', 'pi', '192.168.7.2', 2222, 'ssh://pi@192.168.7.2:2222'],
  ['ssh://[::1]', 'root', '::1', 22, 'ssh://root@[::1]'],
  ['ssh://lab-1@[fe80::1%eth0]:22', 'lab-1', 'fe80::1%eth0', 22, 'ssh://lab-1@[fe80::1%eth0]'],
] as const;

for (const [text, user, host, port, canonical] of readable) {
  test(`${text} is read as user ${user}, host ${host}, port ${port}`, () => {
    const address = parseAddress(text);
    expect(address).toEqual({ user, host, port });
    expect(formatAddress(address)).toBe(canonical);
    expect(parseAddress(canonical)).toEqual(address);
  });
}

const unreadable = [
  ['board', 'does not begin with ssh://'],
  ['http://board', 'does not begin with ssh://'],
  ['ssh://', 'not a host name'],
  ['ssh://@board', 'not a user name'],
  ['ssh://-oProxyCommand=x@board', 'not a user name'],
  ['ssh://root:secret@board', 'a password'],
  ['ssh://board/tmp', 'takes no path'],
  ['ssh://board/', 'takes no path'],
  ['ssh://board?x=1', 'follows the port'],
  ['ssh://board:', 'not a port'],
  ['ssh://board:0', 'not a port'],
  ['ssh://board:65536', 'not a port'],
  ['ssh://board:22x', 'not a port'],
  ['ssh://::1', 'not a host name'],
  ['ssh://[board]', 'not a host name'],
  ['ssh://bo ard', 'not a host name'],
] as const;

for (const [text, why] of unreadable) {
  test(`${JSON.stringify(text)} is refused: ${why}`, () => {
    expect(() => parseAddress(text)).toThrow(why);
  });
}

test('a refused password is not repeated', () => {
  expect(() => parseAddress('ssh://root:secret@board')).not.toThrow('secret');
  expect(() => parseAddress('ssh://root:secret@board')).toThrow('ssh://root:***@board');
});

test('arguments reach a program through a POSIX shell unchanged', () => {
  const hard = [
    '',
    ' ',
    "it's",
    '"',
    '$HOME',
    '`id`',
    '\\',
    '*',
    '~',
    '!',
    'a\nb',
    'ä€',
    '-n',
    'X=1',
    "''",
    '#',
    '&&',
    '\t',
  ];
  const program = [
    process.execPath,
    '-e',
    'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
    '--',
    ...hard,
  ];
  const said = execFileSync('sh', ['-c', commandLine(program)]).toString();
  expect(JSON.parse(said)).toEqual(hard);
});

test('what cannot be an argument is refused', () => {
  expect(() => commandLine(['echo', 'a\0b'])).toThrow('NUL');
  expect(() => commandLine([])).toThrow('no program');
  expect(() => commandLine([''])).toThrow('no program');
});
