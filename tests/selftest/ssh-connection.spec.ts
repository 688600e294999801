// SPDX-License-Identifier: MIT
/** Commands over a connection, and machines that die or come up meanwhile. */
import { expect } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import { LabError } from '../../harness/errors.ts';
import { newHostKey, newLoginKey } from '../../harness/build/per-run.ts';
import { formatAddress } from '../../harness/target/ssh/address.ts';
import { Connection } from '../../harness/target/ssh/connection.ts';
import { fingerprint } from '../../harness/target/ssh/known-hosts.ts';
import { explainLoss } from '../../harness/target/ssh/loss.ts';
import { PendingConnection } from '../../harness/target/ssh/pending.ts';
import { waitForSsh } from '../../harness/target/ssh/wait.ts';
import { optionsFor, test } from './ssh-lab.ts';
import { answer, closedPort, publicBlob, silentPort } from './ssh-server.ts';

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

  test('ends when nobody wants it any more', async () => {
    const wanted = new AbortController();
    const options = optionsFor(await closedPort(), { signal: wanted.signal });
    const opening = waitForSsh(options, Deadline.in(60_000), () => undefined);
    setTimeout(() => wanted.abort(), 150);
    await expect(opening).rejects.toMatchObject({ code: expect.stringMatching(/^SSH_/) });
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

test.describe('a connection that is opened when it is needed', () => {
  const never = { name: 'board', patience: 1, delay: 600_000 };

  test('serves who comes first and who comes later, and is lost to all who listen', async ({ lab }) => {
    const server = await lab.serve();
    let opened = 0;
    const pending = new PendingConnection(never, () => {
      opened += 1;
      return Connection.open(server.options(), Deadline.in(20_000));
    });
    const losses: (string | undefined)[] = [];
    pending.onLoss((loss) => losses.push(loss.code));
    expect([pending.who, pending.loss, opened]).toEqual(['board', undefined, 0]);
    await Promise.all([pending.exec(['true']), pending.exec(['true'])]);
    await pending.exec(['true']);
    pending.onLoss((loss) => losses.push(loss.code));
    expect(opened).toBe(1);
    pending.drop();
    expect([pending.loss?.code, losses]).toEqual(['LINK_LOST', ['LINK_LOST', 'LINK_LOST']]);
    await expect(pending.exec(['true'])).rejects.toMatchObject({ code: 'LINK_LOST' });
  });

  test('is opened after a while though nobody needs it', async ({ lab }) => {
    const server = await lab.serve();
    const pending = new PendingConnection({ ...never, delay: 50 }, () =>
      Connection.open(server.options(), Deadline.in(20_000)),
    );
    await expect.poll(() => pending.who).not.toBe('board');
    await pending.close();
  });

  test('that cannot be opened is a lost link', async () => {
    const refused = new LabError('SSH_REFUSED', 'nothing listens');
    const pending = new PendingConnection(never, () => Promise.reject(refused));
    const lost = new Promise<LabError>((resolve) => pending.onLoss(resolve));
    await expect(pending.exec(['true'])).rejects.toMatchObject({
      code: 'LINK_LOST',
      message: expect.stringContaining('nothing listens'),
    });
    expect(await lost).toMatchObject({ code: 'LINK_LOST' });
  });

  test('that is given up while it is opened is not opened', async () => {
    let asked: AbortSignal | undefined;
    const pending = new PendingConnection(never, (signal) => {
      asked = signal;
      return new Promise(() => {});
    });
    pending.start(['x']).catch(() => {});
    pending.drop();
    expect(asked?.aborted).toBe(true);
    await expect(pending.exec(['true'])).rejects.toMatchObject({ code: 'LINK_LOST' });
  });
});
