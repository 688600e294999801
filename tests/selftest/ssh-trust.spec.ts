// SPDX-License-Identifier: MIT
import { readFile, stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { expect, test as base } from '@playwright/test';
import { newHostKey, newLoginKey } from '../../harness/build/per-run.ts';
import { trust } from '../../harness/cli/trust.ts';
import { Deadline } from '../../harness/deadline.ts';
import { Connection } from '../../harness/target/ssh/connection.ts';
import { fingerprint, hostKeyOf } from '../../harness/target/ssh/known-hosts.ts';
import { recordHostKeys } from '../../harness/target/ssh/known-hosts-file.ts';
import { closedPort, FaultyServer, otherHostKey, publicBlob } from './ssh-server.ts';

const ed25519 = newLoginKey().privateOpenssh;
const ecdsa = otherHostKey('ecdsa');
const prints = [ed25519, ecdsa].map((key) => fingerprint(publicBlob(key)));

interface Machine {
  server: FaultyServer;
  address: string;
  knownHosts: string;
  /** Runs the verb as if at a terminal with this answer, or without a terminal. */
  trust: (answer: string | undefined, ...argv: string[]) => Promise<{ code: number; said: string }>;
}

const test = base.extend<{ machine: Machine }>({
  machine: async ({}, use) => {
    const server = await FaultyServer.start({ hostKeys: [ed25519, ecdsa] });
    const knownHosts = test.info().outputPath('config', 'known_hosts');
    await use({
      server,
      address: `ssh://root@127.0.0.1:${server.port}`,
      knownHosts,
      trust: async (answer, ...argv) => {
        const stdin = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
        const stdout = new PassThrough();
        stdin.end(answer);
        const code = await trust(argv, { stdin, stdout, knownHosts });
        return { code, said: String(stdout.read() ?? '') };
      },
    });
    await server.close();
  },
});

/** Does the machine's key count as known now? */
async function isKnown({ server, knownHosts }: Machine): Promise<boolean> {
  const opening = Connection.open(
    server.options({ hostKey: undefined, knownHosts: [knownHosts] }),
    Deadline.in(20_000),
  );
  const result = await opening.catch((error: unknown) => error);
  if (result instanceof Connection) await result.close();
  else expect(result).toMatchObject({ code: 'SSH_HOST_KEY_UNKNOWN' });
  return result instanceof Connection;
}

test('a person sees every key of the machine and confirms them', async ({ machine }) => {
  expect(await isKnown(machine)).toBe(false);
  const { code, said } = await machine.trust('y\n', machine.address);
  expect(code).toBe(0);
  for (const print of prints) expect(said).toContain(print);
  expect(said).toContain('Trust this machine? [y/N]');
  expect(await isKnown(machine)).toBe(true);
  expect((await stat(machine.knownHosts)).mode % 0o1000).toBe(0o600);
});

for (const [what, answer] of [
  ['no', 'n\n'],
  ['just Enter', '\n'],
  ['the end of the input', ''],
] as const) {
  test(`${what} is no confirmation`, async ({ machine }) => {
    const { code, said } = await machine.trust(answer, machine.address);
    expect(code).toBe(1);
    expect(said).toContain('not trusted');
    expect(await isKnown(machine)).toBe(false);
  });
}

test('a script confirms by naming the fingerprint of any of the keys', async ({ machine }) => {
  const { code } = await machine.trust(undefined, machine.address, '--fingerprint', prints[1] ?? '');
  expect(code).toBe(0);
  const recorded = await readFile(machine.knownHosts, 'utf8');
  expect(recorded).toBe(
    `[127.0.0.1]:${machine.server.port} ecdsa-sha2-nistp256 ${publicBlob(ecdsa).toString('base64')}\n`,
  );
  expect(await isKnown(machine)).toBe(true);
});

test('a fingerprint of another machine is refused', async ({ machine }) => {
  const trusting = machine.trust(undefined, machine.address, '--fingerprint', newHostKey().fingerprint);
  await expect(trusting).rejects.toMatchObject({ code: 'SSH_HOST_KEY_MISMATCH' });
  expect(await isKnown(machine)).toBe(false);
});

test('without a terminal and a fingerprint nobody can confirm', async ({ machine }) => {
  await expect(machine.trust(undefined, machine.address)).rejects.toMatchObject({ code: 'NOT_CONFIRMED' });
  expect(await isKnown(machine)).toBe(false);
});

test('a machine that is trusted needs no second confirmation', async ({ machine }) => {
  await machine.trust('y\n', machine.address);
  const { code, said } = await machine.trust(undefined, machine.address);
  expect(code).toBe(0);
  expect(said).toContain('already trusted');
});

test('a changed key is shown as changed, and replaces the recorded one only when confirmed', async ({
  machine,
}) => {
  const old = newHostKey();
  const { port } = machine.server;
  await recordHostKeys(machine.knownHosts, { host: '127.0.0.1', port }, [hostKeyOf(old.publicBlob)]);
  const refused = await machine.trust('n\n', machine.address);
  expect(refused.said).toContain(`${prints[0]}  (CHANGED: ${old.fingerprint} is recorded)`);
  expect(refused.said).toContain('Trust the new keys instead of the recorded ones?');
  expect(await readFile(machine.knownHosts, 'utf8')).toContain(old.publicBlob.toString('base64'));
  await machine.trust('yes\n', machine.address);
  expect(await readFile(machine.knownHosts, 'utf8')).not.toContain(old.publicBlob.toString('base64'));
  expect(await isKnown(machine)).toBe(true);
});

test('what cannot be meant is refused with the usage', async ({ machine }) => {
  for (const argv of [[], ['a', 'b'], ['--nonsense'], [machine.address, '--fingerprint']])
    await expect(machine.trust('y\n', ...argv)).rejects.toMatchObject({ code: 'USAGE' });
  await expect(machine.trust('y\n', 'board')).rejects.toMatchObject({ code: 'SSH_ADDRESS' });
  await expect(machine.trust('y\n', machine.address, '--fingerprint', 'x')).rejects.toMatchObject({
    code: 'SSH_FINGERPRINT',
  });
  await expect(machine.trust('y\n', `ssh://127.0.0.1:${await closedPort()}`)).rejects.toMatchObject({
    code: 'SSH_REFUSED',
  });
});
