// SPDX-License-Identifier: MIT
import { execFileSync, spawnSync } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { newHostKey } from '../../harness/build/per-run.ts';
import { hostKeyPolicy, parseFingerprint } from '../../harness/target/ssh/host-keys.ts';
import { recordHostKeys } from '../../harness/target/ssh/known-hosts-file.ts';
import {
  fingerprint,
  hostKeyOf,
  parseKnownHosts,
  speaksAbout,
} from '../../harness/target/ssh/known-hosts.ts';

const one = newHostKey();
const other = newHostKey();
const board = { user: 'root', host: 'board.lab', port: 22 };
const boardOnPort = { ...board, port: 2222 };

/** A policy from the text of one known_hosts file. */
async function policyFor(address: typeof board, text: string) {
  const file = test.info().outputPath('known_hosts');
  await writeFile(file, text);
  return hostKeyPolicy({ address, knownHosts: [file] });
}

const matches: [hosts: string, name: string, expected: boolean][] = [
  ['board.lab', 'board.lab', true],
  ['board.lab', 'board.labs', false],
  ['boardxlab', 'board.lab', false],
  ['BOARD.lab', 'board.lab', true],
  ['a,board.lab,b', 'board.lab', true],
  ['*.lab', 'board.lab', true],
  ['*.lab', 'lab', false],
  ['board?.lab', 'board1.lab', true],
  ['board?.lab', 'board12.lab', false],
  ['*.lab,!board.lab', 'board.lab', false],
  ['!board.lab,*.lab', 'board.lab', false],
  ['!board.lab,*.lab', 'other.lab', true],
  ['!board.lab', 'other.lab', false],
  ['[board.lab]:2222', '[board.lab]:2222', true],
  ['[board.lab]:2222', 'board.lab', false],
  ['board.lab', '[board.lab]:2222', false],
  ['[*.lab]:2222', '[board.lab]:2222', true],
  ['10.0.0.*', '10.0.0.7', true],
  // Made by ssh-keygen -H from "[board.lab]:2222".
  ['|1|ZSRx24cKXIKKkSYNryqU7oFWdhA=|kAD6lwrLpF0ok2wP6puwVJVLjXo=', '[board.lab]:2222', true],
  ['|1|ZSRx24cKXIKKkSYNryqU7oFWdhA=|kAD6lwrLpF0ok2wP6puwVJVLjXo=', '[board.lab]:2223', false],
  ['|1|ZSRx24cKXIKKkSYNryqU7oFWdhA=|kAD6lwrLpF0ok2wP6puwVJVLjXo=', 'board.lab', false],
];

for (const [hosts, name, expected] of matches) {
  test(`${hosts} ${expected ? 'speaks' : 'does not speak'} about ${name}`, () => {
    expect(speaksAbout(hosts, name)).toBe(expected);
  });
}

test('names hashed by ssh-keygen are found', async () => {
  test.skip(spawnSync('ssh-keygen', ['-?']).error !== undefined, 'no ssh-keygen on this machine');
  const file = test.info().outputPath('hashed');
  await writeFile(file, `board.lab,10.0.0.7 ${one.publicLine}\n[board.lab]:2222 ${other.publicLine}\n`);
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'pipe' });
  const plain = await hostKeyPolicy({ address: board, knownHosts: [file] });
  const onPort = await hostKeyPolicy({ address: boardOnPort, knownHosts: [file] });
  const byAddress = await hostKeyPolicy({ address: { ...board, host: '10.0.0.7' }, knownHosts: [file] });
  const stranger = await hostKeyPolicy({ address: { ...board, host: 'x.lab' }, knownHosts: [file] });
  expect(plain.accepts(one.publicBlob)).toBe(true);
  expect(plain.accepts(other.publicBlob)).toBe(false);
  expect(onPort.accepts(other.publicBlob)).toBe(true);
  expect(byAddress.accepts(one.publicBlob)).toBe(true);
  expect(stranger.accepts(one.publicBlob)).toBe(false);
});

test('fingerprints are those of ssh-keygen', async () => {
  test.skip(spawnSync('ssh-keygen', ['-?']).error !== undefined, 'no ssh-keygen on this machine');
  const file = test.info().outputPath('key.pub');
  await writeFile(file, one.publicLine);
  expect(execFileSync('ssh-keygen', ['-l', '-f', file]).toString()).toContain(fingerprint(one.publicBlob));
});

test('lines that make no sense are left out, the others keep their line number', () => {
  const entries = parseKnownHosts(
    [
      '# comment',
      '',
      'board.lab',
      'board.lab ssh-rsa AAAA',
      `@odd board.lab ${one.publicLine}`,
      ` a\t${one.publicLine} me`,
    ].join('\n'),
    'f',
  );
  expect(entries).toEqual([{ marker: 'none', hosts: 'a', key: hostKeyOf(one.publicBlob), where: 'f:6' }]);
});

test('several keys for one host are all accepted, and their types asked for', async () => {
  const policy = await policyFor(board, `board.lab ${one.publicLine}\n*.lab ${other.publicLine}\n`);
  expect([one, other].map((key) => policy.accepts(key.publicBlob))).toEqual([true, true]);
  expect(policy.types).toEqual(['ssh-ed25519']);
});

test('a key known for the host without port is accepted on a port, but says nothing against another', async () => {
  const policy = await policyFor(boardOnPort, `board.lab ${one.publicLine}\n`);
  expect(policy.accepts(one.publicBlob)).toBe(true);
  expect(policy.refusal([other.publicBlob]).code).toBe('SSH_HOST_KEY_UNKNOWN');
});

test('an entry for the port goes before one for the host', async () => {
  const policy = await policyFor(
    boardOnPort,
    `board.lab ${one.publicLine}\n[board.lab]:2222 ${other.publicLine}\n`,
  );
  expect(policy.accepts(one.publicBlob)).toBe(false);
  expect(policy.refusal([one.publicBlob]).code).toBe('SSH_HOST_KEY_MISMATCH');
});

test('an unknown key is refused with its fingerprint, the files and the command that confirms it', async () => {
  const policy = await policyFor(boardOnPort, '');
  const error = policy.refusal([one.publicBlob]);
  expect(error.code).toBe('SSH_HOST_KEY_UNKNOWN');
  expect(error.message).toContain(one.fingerprint);
  expect(error.message).toContain(test.info().outputPath('known_hosts'));
  expect(error.hint).toBe('npx bufrig trust ssh://root@board.lab:2222');
});

test('a changed key is refused with both fingerprints and the line that expects the old one', async () => {
  const policy = await policyFor(board, `\nboard.lab ${one.publicLine}\n`);
  const error = policy.refusal([other.publicBlob]);
  expect(error.code).toBe('SSH_HOST_KEY_MISMATCH');
  expect(error.message).toContain(`ssh-ed25519 ${other.fingerprint}`);
  expect(error.message).toContain(
    `ssh-ed25519 ${one.fingerprint} (${test.info().outputPath('known_hosts')}:2)`,
  );
});

test('a revoked key is refused even where another line trusts it', async () => {
  const policy = await policyFor(board, `board.lab ${one.publicLine}\n@revoked * ${one.publicLine}\n`);
  expect(policy.accepts(one.publicBlob)).toBe(false);
  expect(policy.refusal([one.publicBlob]).code).toBe('SSH_HOST_KEY_REVOKED');
});

test('a certificate authority trusts nothing here, and the refusal says so', async () => {
  const policy = await policyFor(board, `@cert-authority *.lab ${one.publicLine}\n`);
  expect(policy.accepts(one.publicBlob)).toBe(false);
  expect(policy.refusal([one.publicBlob]).message).toContain('host certificates are not supported');
});

test('a pinned fingerprint is the only key accepted', async () => {
  const policy = await hostKeyPolicy({ address: board, hostKey: `${one.fingerprint}=`, knownHosts: [] });
  expect(policy.accepts(one.publicBlob)).toBe(true);
  expect(policy.accepts(other.publicBlob)).toBe(false);
  expect(policy.refusal([other.publicBlob]).message).toContain(`${one.fingerprint} (pinned)`);
});

const noPins = [
  ['nothing', ''],
  ['the prefix alone', 'SHA256:'],
  ['an MD5 fingerprint', 'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48'],
  ['one character too few', one.fingerprint.slice(0, -1)],
  ['one character too many', `${one.fingerprint}A`],
] as const;

for (const [what, text] of noPins) {
  test(`${what} is no fingerprint to pin`, () => {
    expect(() => parseFingerprint(text)).toThrow('not a SHA256 fingerprint');
  });
}

test('a file that is not there knows nobody; one that cannot be read is an error', async () => {
  const absent = await hostKeyPolicy({ address: board, knownHosts: [test.info().outputPath('absent')] });
  expect(absent.accepts(one.publicBlob)).toBe(false);
  await expect(hostKeyPolicy({ address: board, knownHosts: [test.info().outputDir] })).rejects.toMatchObject({
    code: 'SSH_KNOWN_HOSTS',
  });
});

test('a recorded key replaces the older one of its type and leaves the rest of the file alone', async () => {
  const file = test.info().outputPath('config', 'known_hosts');
  await recordHostKeys(file, board, [hostKeyOf(one.publicBlob)]);
  await recordHostKeys(file, boardOnPort, [hostKeyOf(one.publicBlob)]);
  await recordHostKeys(file, board, [hostKeyOf(other.publicBlob)]);
  const plain = await hostKeyPolicy({ address: board, knownHosts: [file] });
  const onPort = await hostKeyPolicy({ address: boardOnPort, knownHosts: [file] });
  expect([one, other].map((key) => plain.accepts(key.publicBlob))).toEqual([false, true]);
  expect([one, other].map((key) => onPort.accepts(key.publicBlob))).toEqual([true, false]);
  expect((await stat(file)).mode % 0o1000).toBe(0o600);
});

test('a line that also speaks about other hosts is not rewritten', async () => {
  const file = test.info().outputPath('known_hosts');
  await writeFile(file, `board.lab,other.lab ${one.publicLine}\n`);
  const recording = recordHostKeys(file, board, [hostKeyOf(other.publicBlob)]);
  await expect(recording).rejects.toThrow('known_hosts:1 also speaks about other hosts');
});
