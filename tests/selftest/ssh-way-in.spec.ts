// SPDX-License-Identifier: MIT
/** From an address to a login: every way in which it can end, and what the user is told. */
import { writeFile } from 'node:fs/promises';
import { expect } from '@playwright/test';
import { newHostKey, newLoginKey } from '../../harness/build/per-run.ts';
import type { ConnectionOptions } from '../../harness/target/ssh/connection.ts';
import { fingerprint, hostKeyOf, knownHostsLine } from '../../harness/target/ssh/known-hosts.ts';
import { optionsFor, refusal, test } from './ssh-lab.ts';
import { closedPort, type FaultyServer, otherHostKey, publicBlob, silentPort } from './ssh-server.ts';

/** A known_hosts file that knows these private keys' public halves for the server. */
async function knows(server: FaultyServer, ...keys: string[]): Promise<Partial<ConnectionOptions>> {
  const file = test.info().outputPath('known_hosts');
  const lines = keys.map((key) => knownHostsLine('127.0.0.1', server.port, hostKeyOf(publicBlob(key))));
  await writeFile(file, lines.join('\n'));
  return { hostKey: undefined, knownHosts: [file] };
}

/** New key files, and what a server calls them. */
async function keyFiles(count: number) {
  const made = Array.from({ length: count }, () => newLoginKey());
  const files = made.map((_, index) => test.info().outputPath(`key-${index}`));
  await Promise.all(made.map((key, index) => writeFile(files[index] ?? '', key.privateOpenssh)));
  return { files, prints: made.map((key) => fingerprint(publicBlob(key.privateOpenssh))) };
}

test.describe('on the way in', () => {
  test('a port where nothing listens', async () => {
    const error = await refusal(optionsFor(await closedPort()));
    expect(error.code).toBe('SSH_REFUSED');
    expect(error.message).toMatch(/^lab \(ssh:\/\/root@127\.0\.0\.1:\d+\): nothing listens there/);
  });

  test('a name that does not exist', async () => {
    const options = optionsFor(22);
    const error = await refusal({
      ...options,
      address: { ...options.address, host: 'no-such-host.invalid' },
    });
    expect(error.code).toBe('SSH_NAME');
  });

  test('a port that stays silent', async () => {
    const port = await silentPort();
    const error = await refusal(optionsFor(port.port, { bannerLimit: 200 }));
    await port.close();
    expect(error.code).toBe('SSH_NO_BANNER');
    expect(error.message).toContain('stayed silent for 0.2 s');
  });

  test('a port that speaks something else', async () => {
    const port = await silentPort('HTTP/1.1 400 Bad Request\r\n\r\n');
    const error = await refusal(optionsFor(port.port, { bannerLimit: 300 }));
    await port.close();
    expect(error.code).toBe('SSH_NO_BANNER');
    expect(error.message).toContain('HTTP/1.1 400');
  });

  test('a server that falls silent after its banner', async () => {
    const port = await silentPort('SSH-2.0-half_dead\r\n');
    const error = await refusal(optionsFor(port.port), 500);
    await port.close();
    expect(error.code).toBe('DEADLINE');
    expect(error.message).toContain('logging in to lab');
  });

  test('a login shell that is none', async ({ lab }) => {
    const server = await lab.serve({ shellSays: 'This account is currently not available.\n', shellCode: 1 });
    const error = await refusal(server.options());
    expect(error.code).toBe('SSH_SHELL');
    expect(error.message).toContain('exit code 1: This account is currently not available.');
  });

  test('a login shell that chatters', async ({ lab }) => {
    const server = await lab.serve({ shellSays: 'Welcome!\n' });
    const error = await refusal(server.options());
    expect(error.code).toBe('SSH_SHELL');
    expect(error.message).toContain('Welcome!');
  });

  test('a server that runs no commands', async ({ lab }) => {
    const server = await lab.serve({ refuseExec: true });
    const error = await refusal(server.options());
    expect(error.code).toBe('SSH_SHELL');
    expect(error.message).toContain('the server does not run printf');
  });
});

test.describe('host keys', () => {
  const ed25519 = newLoginKey().privateOpenssh;
  const rsa = otherHostKey('rsa');
  const ecdsa = otherHostKey('ecdsa');

  test('an unknown one is refused, with the command that confirms it', async ({ lab }) => {
    const server = await lab.serve({ hostKeys: [ed25519] });
    const error = await refusal(server.options(await knows(server)));
    expect(error.code).toBe('SSH_HOST_KEY_UNKNOWN');
    expect(error.message).toContain(fingerprint(publicBlob(ed25519)));
    expect(error.hint).toBe(`npx bufrig trust ssh://root@127.0.0.1:${server.port}`);
    expect(server.commands).toEqual([]);
  });

  test('another one than the pinned is refused, with both fingerprints', async ({ lab }) => {
    const server = await lab.serve({ hostKeys: [ed25519] });
    const pin = newHostKey().fingerprint;
    const error = await refusal(server.options({ hostKey: pin }));
    expect(error.code).toBe('SSH_HOST_KEY_MISMATCH');
    expect(error.message).toContain(pin);
    expect(error.message).toContain(fingerprint(publicBlob(ed25519)));
    expect(server.commands).toEqual([]);
  });

  test('a pinned key is found whatever its type', async ({ lab }) => {
    const server = await lab.serve({ hostKeys: [ed25519, rsa, ecdsa] });
    for (const key of [ed25519, rsa, ecdsa]) {
      const connection = await lab.open(server.options({ hostKey: fingerprint(publicBlob(key)) }));
      expect(connection.hostKey.blob.equals(publicBlob(key))).toBe(true);
    }
  });

  test('the server is asked for the type that is known', async ({ lab }) => {
    const server = await lab.serve({ hostKeys: [ed25519, rsa] });
    const connection = await lab.open(server.options(await knows(server, rsa)));
    expect(connection.hostKey.type).toBe('ssh-rsa');
  });

  test('a server that lost the known type is refused with the key it has now', async ({ lab }) => {
    const server = await lab.serve({ hostKeys: [rsa] });
    const error = await refusal(server.options(await knows(server, ed25519)));
    expect(error.code).toBe('SSH_HOST_KEY_MISMATCH');
    expect(error.message).toContain(`ssh-rsa ${fingerprint(publicBlob(rsa))}`);
    expect(error.message).toContain(`ssh-ed25519 ${fingerprint(publicBlob(ed25519))}`);
  });
});

test.describe('logins', () => {
  test('a refused one names the user and the keys that were tried, in order', async ({ lab }) => {
    const server = await lab.serve({ refuseEverybody: true });
    const { files, prints } = await keyFiles(2);
    const absent = test.info().outputPath('absent');
    const error = await refusal(
      server.options({ identities: files.slice(0, 1), defaultIdentities: [absent, ...files] }),
    );
    expect(error.code).toBe('SSH_AUTH');
    expect(error.message).toContain('did not let root in');
    expect(error.message).toContain(`tried    ${files.join('\n           ')}`);
    expect(server.offered).toEqual(prints);
  });

  test('without any key that is what it says', async ({ lab }) => {
    const server = await lab.serve({ refuseEverybody: true });
    const error = await refusal(server.options());
    expect(error.code).toBe('SSH_AUTH');
    expect(error.message).toContain('no key: none was found');
    expect(error.message).toContain('accepted publickey');
  });

  test('no more keys are offered than servers bear, and the rest is named', async ({ lab }) => {
    const server = await lab.serve({ refuseEverybody: true });
    const { files, prints } = await keyFiles(7);
    const error = await refusal(server.options({ identities: files }));
    expect(server.offered).toEqual(prints.slice(0, 5));
    expect(error.message).toContain(`left out ${files[5]}`);
  });

  test('a server that hangs up before the last key did not let us in either', async ({ lab }) => {
    const server = await lab.serve({ refuseEverybody: true, maxTries: 2 });
    const { files } = await keyFiles(3);
    const error = await refusal(server.options({ identities: files }));
    expect(error.code).toBe('SSH_AUTH');
    expect(error.message).toContain(`left out ${files[2]}: the server ended the login before it`);
  });

  test('a named key file must be readable', async ({ lab }) => {
    const server = await lab.serve();
    const error = await refusal(server.options({ identities: [test.info().outputPath('absent')] }));
    expect(error.code).toBe('SSH_KEY');
  });

  test('an agent that is gone is named, and stops nobody', async ({ lab }) => {
    const agentSocket = test.info().outputPath('agent');
    const open = await lab.serve();
    await lab.open(open.options({ agentSocket }));
    const closed = await lab.serve({ refuseEverybody: true });
    const error = await refusal(closed.options({ agentSocket }));
    expect(error.message).toContain("left out the SSH agent's keys");
  });
});
