// SPDX-License-Identifier: MIT
/**
 * A guest's devices and processors, taken out of one QEMU and put into another: QEMU's migration,
 * over a unix socket. RAM that lies in a file is left out of it (`x-ignore-shared`), so a state has
 * some 400 KB; who saves it keeps the file.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import type { Qmp } from './qmp.ts';

const WITHOUT_RAM = { capabilities: [{ capability: 'x-ignore-shared', state: true }] };
/** Milliseconds between two looks at how far it is; the whole takes some 20. */
const PAUSE = 3;

/**
 * @param socket path at which a socket may be made
 * @throws LabError `SAVED_STATE` with QEMU's words
 */
export async function saveState(qmp: Qmp, socket: string, deadline: Deadline): Promise<Buffer> {
  await qmp.execute('migrate-set-capabilities', WITHOUT_RAM, deadline);
  const received: Buffer[] = [];
  const server = createServer((peer) => peer.on('data', (chunk: Buffer) => received.push(chunk)));
  server.listen(socket);
  await once(server, 'listening');
  try {
    const peer = once(server, 'connection') as Promise<[Socket]>;
    await qmp.execute('migrate', { uri: `unix:${socket}` }, deadline);
    const [stream] = await deadline.race(peer, 'waiting for QEMU to send its state');
    const ended = once(stream, 'close');
    for (;;) {
      const { status, 'error-desc': why } = await migrationOf(qmp, deadline);
      if (status === 'completed') break;
      if (status === 'failed' || deadline.expired) throw broken('save', why ?? status);
      await sleep(PAUSE);
    }
    await deadline.race(ended, "waiting for the end of QEMU's state");
    return Buffer.concat(received);
  } finally {
    server.close();
  }
}

/**
 * @param qmp of a QEMU started with `-incoming defer`; its guest is halted afterwards
 * @param whyDead QEMU exits when it does not like what it gets
 * @throws LabError `SAVED_STATE` with QEMU's words
 */
export async function loadState(
  qmp: Qmp,
  socket: string,
  state: Buffer,
  deadline: Deadline,
  whyDead: () => string | undefined,
): Promise<void> {
  try {
    await qmp.execute('migrate-set-capabilities', WITHOUT_RAM, deadline);
    await qmp.execute('migrate-incoming', { uri: `unix:${socket}` }, deadline);
    const stream = connect(socket);
    // How it went is QEMU's to say.
    stream.on('error', () => {});
    stream.end(state);
    for (;;) {
      const { status, 'error-desc': why } = await migrationOf(qmp, deadline);
      if (status === 'completed') return;
      if (status === 'failed' || deadline.expired) throw broken('load', why ?? status);
      await sleep(PAUSE);
    }
  } catch (error) {
    // QEMU closes its sockets a moment before its end is known.
    for (let waited = 0; whyDead() === undefined && waited < 500; waited += 20) await sleep(20);
    const why = whyDead();
    throw why === undefined ? error : broken('load', why);
  }
}

interface Migration {
  status?: string;
  'error-desc'?: string;
}

async function migrationOf(qmp: Qmp, deadline: Deadline): Promise<Migration> {
  return (await qmp.execute('query-migrate', {}, deadline)) as Migration;
}

function broken(what: 'save' | 'load', why: string | undefined): LabError {
  return new LabError('SAVED_STATE', `QEMU cannot ${what} the state of the guest: ${why ?? 'no word of it'}`);
}
