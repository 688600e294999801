// SPDX-License-Identifier: MIT
import { writeFile } from 'node:fs/promises';
import { test as base, expect } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import { LabError } from '../../harness/errors.ts';
import { newHostKey, newLoginKey } from '../../harness/build/per-run.ts';
import { formatAddress } from '../../harness/target/ssh/address.ts';
import { Connection, type ConnectionOptions } from '../../harness/target/ssh/connection.ts';
import { fingerprint, hostKeyOf, knownHostsLine } from '../../harness/target/ssh/known-hosts.ts';
import { explainLoss } from '../../harness/target/ssh/loss.ts';
import { waitForSsh } from '../../harness/target/ssh/wait.ts';
import {
  answer,
  closedPort,
  FaultyServer,
  otherHostKey,
  publicBlob,
  silentPort,
  type Behaviour,
} from './ssh-server.ts';

/** Starts servers and opens connections that end with the test. */
interface Lab {
  serve: (behaviour?: Behaviour) => Promise<FaultyServer>;
  open: (options: ConnectionOptions) => Promise<Connection>;
}

const test = base.extend<{ lab: Lab }>({
  lab: async ({}, use) => {
    const ends: Array<() => Promise<void>> = [];
    await use({
      serve: async (behaviour) => {
        const server = await FaultyServer.start(behaviour);
        ends.push(() => server.close());
        return server;
      },
      open: async (options) => {
        const connection = await Connection.open(options, Deadline.in(20_000));
        ends.push(() => connection.close());
        return connection;
      },
    });
    for (const end of ends) await end();
  },
});

/** Opens and gives the error, which there must be. */
async function refusal(options: ConnectionOptions, milliseconds = 20_000): Promise<LabError> {
  const result = await Connection.open(options, Deadline.in(milliseconds)).catch((error: unknown) => error);
  if (result instanceof LabError) return result;
  throw new Error(`a LabError was expected, not ${String(result)}`);
}

function optionsFor(port: number, more: Partial<ConnectionOptions> = {}): ConnectionOptions {
  const address = { user: 'root', host: '127.0.0.1', port };
  return { name: 'lab', address, identities: [], hostKey: newHostKey().fingerprint, knownHosts: [], ...more };
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

  /** A known_hosts file that knows these private keys' public halves for the server. */
  async function knows(server: FaultyServer, ...keys: string[]): Promise<Partial<ConnectionOptions>> {
    const file = test.info().outputPath('known_hosts');
    const lines = keys.map((key) => knownHostsLine('127.0.0.1', server.port, hostKeyOf(publicBlob(key))));
    await writeFile(file, lines.join('\n'));
    return { hostKey: undefined, knownHosts: [file] };
  }

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
  /** New key files, and what a server calls them. */
  async function keyFiles(count: number) {
    const made = Array.from({ length: count }, () => newLoginKey());
    const files = made.map((_, index) => test.info().outputPath(`key-${index}`));
    await Promise.all(made.map((key, index) => writeFile(files[index] ?? '', key.privateOpenssh)));
    return { files, prints: made.map((key) => fingerprint(publicBlob(key.privateOpenssh))) };
  }

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

test.describe('commands', () => {
  test('an exit code that is not 0 is handed on with both outputs', async ({ lab }) => {
    const server = await lab.serve({
      onExec: (channel) => {
        channel.stderr.write('to stderr');
        answer(channel, 'to stdout', 3);
      },
    });
    const connection = await lab.open(server.options());
    const result = await connection.exec(['x']);
    expect(result).toEqual({ code: 3, signal: null, stdout: 'to stdout', stderr: 'to stderr' });
  });

  test('one killed by a signal has no exit code', async ({ lab }) => {
    const server = await lab.serve({
      onExec: (channel) => {
        channel.exit('KILL');
        channel.end();
      },
    });
    const connection = await lab.open(server.options());
    expect(await connection.exec(['x'])).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  test('one that ends without an exit status is no success', async ({ lab }) => {
    const server = await lab.serve({ onExec: (channel) => channel.end('half a line') });
    const connection = await lab.open(server.options());
    await expect(connection.exec(['x'])).rejects.toMatchObject({
      code: 'LINK_LOST',
      message: expect.stringContaining('x ended without an exit status'),
    });
    const process = await connection.start(['y']);
    await expect(process.ended).rejects.toMatchObject({ code: 'LINK_LOST' });
  });

  test('a connection that is cut in the middle of one is lost', async ({ lab }) => {
    const server = await lab.serve({
      onExec: (channel, _command, server) => channel.on('data', () => server.cut()),
    });
    const connection = await lab.open(server.options());
    const process = await connection.start(['agent']);
    process.write('a request');
    await expect(process.ended).rejects.toMatchObject({ code: 'LINK_LOST' });
    expect(() => process.write('x')).toThrow('the SSH connection is gone');
    await expect(connection.exec(['x'])).rejects.toMatchObject({ code: 'LINK_LOST' });
    await expect(connection.start(['x'])).rejects.toMatchObject({ code: 'LINK_LOST' });
  });

  test('an exit status followed by a cut is not trusted: output may be missing', async ({ lab }) => {
    const server = await lab.serve({
      onExec: (channel, _command, server) => {
        channel.exit(0);
        setTimeout(() => server.cut(), 20);
      },
    });
    const connection = await lab.open(server.options());
    await expect(connection.exec(['x'])).rejects.toMatchObject({ code: 'LINK_LOST' });
  });

  test('a peer that hangs is noticed without anybody talking to it', async ({ lab }) => {
    const server = await lab.serve({ onExec: (_channel, _command, server) => server.hang() });
    const connection = await lab.open(server.options({ patience: 0.05 }));
    await expect(connection.exec(['x'])).rejects.toMatchObject({
      code: 'LINK_LOST',
      message: expect.stringContaining('did not answer for 0.4 s'),
    });
  });

  test('one that takes too long is given up', async ({ lab }) => {
    const server = await lab.serve({ onExec: () => {} });
    const connection = await lab.open(server.options());
    await expect(connection.exec(['sleep', '1000'], { deadline: Deadline.in(100) })).rejects.toMatchObject({
      code: 'DEADLINE',
      message: expect.stringContaining('faulty (ssh://root@127.0.0.1'),
    });
  });

  test('four run at once, and the others wait', async ({ lab }) => {
    let running = 0;
    let most = 0;
    const server = await lab.serve({
      onExec: (channel) => {
        running += 1;
        most = Math.max(most, running);
        setTimeout(() => {
          running -= 1;
          answer(channel, 'done');
        }, 20);
      },
    });
    const connection = await lab.open(server.options());
    const results = await Promise.all(Array.from({ length: 20 }, () => connection.exec(['x'])));
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 20 }, () => 'done'));
    expect(most).toBe(4);
  });

  test('waiting for a free session ends with the deadline, and gives the place on', async ({ lab }) => {
    const pending: Array<() => void> = [];
    const server = await lab.serve({ onExec: (channel) => pending.push(() => answer(channel, '')) });
    const connection = await lab.open(server.options());
    const busy = Array.from({ length: 4 }, () => connection.exec(['x']));
    await expect(connection.exec(['y'], { deadline: Deadline.in(50) })).rejects.toMatchObject({
      code: 'DEADLINE',
    });
    await expect.poll(() => pending.length).toBe(4);
    for (const finish of pending.splice(0)) finish();
    await Promise.all(busy);
    const last = connection.exec(['z']);
    await expect.poll(() => pending.length).toBe(1);
    pending[0]?.();
    expect((await last).code).toBe(0);
  });

  test('output that comes before anybody listens is kept', async ({ lab }) => {
    const server = await lab.serve({ onExec: (channel) => answer(channel, 'early') });
    const connection = await lab.open(server.options());
    const process = await connection.start(['x']);
    await process.ended;
    let heard = '';
    process.onStdout((chunk) => (heard += chunk.toString()));
    expect(heard).toBe('early');
  });
});

test.describe('what the machine says about its death', () => {
  test('is added to a lost link, even when it comes a little later', async ({ lab }) => {
    const server = await lab.serve({ onExec: (_channel, _command, server) => server.cut() });
    const connection = await lab.open(server.options());
    const loss: unknown = await connection.exec(['x']).catch((error: unknown) => error);
    const late = performance.now() + 50;
    const explained = await explainLoss(loss, () => (performance.now() > late ? 'kernel panic' : undefined));
    expect(explained).toMatchObject({
      code: 'LINK_LOST',
      message: expect.stringMatching(/is gone: .*: kernel panic$/),
    });
  });

  test('is not invented', async () => {
    const error = new Error('x');
    expect(await explainLoss(error, () => 'dead')).toBe(error);
  });
});

test.describe('waiting for a machine that boots', () => {
  test('lasts until its server lets us in', async ({ lab }) => {
    const port = await closedPort();
    const key = newLoginKey().privateOpenssh;
    const options = optionsFor(port, { hostKey: fingerprint(publicBlob(key)) });
    const opening = waitForSsh(options, Deadline.in(20_000), () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const server = await lab.serve({ hostKeys: [key], port });
    const connection = await opening;
    expect(formatAddress(connection.address)).toBe(`ssh://root@127.0.0.1:${port}`);
    await connection.close();
    expect(server.commands).toHaveLength(1);
  });

  test('ends as soon as the machine has died', async () => {
    const port = await silentPort();
    const dies = performance.now() + 200;
    const options = optionsFor(port.port);
    const opening = waitForSsh(options, Deadline.in(60_000), () =>
      performance.now() > dies ? 'QEMU ended' : undefined,
    );
    await expect(opening).rejects.toMatchObject({
      code: 'TARGET_DIED',
      message: expect.stringContaining('QEMU ended'),
    });
    await port.close();
  });

  test('tells the last trouble when time is up', async () => {
    const options = optionsFor(await closedPort());
    const opening = waitForSsh(options, Deadline.in(500), () => undefined);
    await expect(opening).rejects.toMatchObject({
      code: 'SSH_TIMEOUT',
      message: expect.stringContaining('nothing listens'),
    });
  });

  test('does not wait for what no waiting cures', async ({ lab }) => {
    const server = await lab.serve();
    const options = server.options({ hostKey: newHostKey().fingerprint });
    const opening = waitForSsh(options, Deadline.in(600_000), () => undefined);
    await expect(opening).rejects.toMatchObject({ code: 'SSH_HOST_KEY_MISMATCH' });
  });
});
