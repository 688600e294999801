// SPDX-License-Identifier: MIT
/** An SSH server that misbehaves on request: the server side of ssh2, on a free port of loopback. */
import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import ssh2, { type Connection as ClientSide, type ParsedKey, type ServerChannel } from 'ssh2';
import { newLoginKey } from '../../harness/build/per-run.ts';
import type { ConnectionOptions } from '../../harness/target/ssh/connection.ts';
import { fingerprint } from '../../harness/target/ssh/known-hosts.ts';

export interface Behaviour {
  /** A port that was free a moment ago; by default any. */
  port?: number;
  /** OpenSSH private host keys; by default one new ed25519 key. */
  hostKeys?: string[];
  /** Lets nobody in. */
  refuseEverybody?: boolean;
  /** Cuts the connection after so many refused keys, as MaxAuthTries does. */
  maxTries?: number;
  /** What the login shell prints before anything else. */
  shellSays?: string;
  /** What the login shell ends with. */
  shellCode?: number;
  /** Refuses to run anything. */
  refuseExec?: boolean;
  /** What a command does; by default the check of the shell passes and the rest ends with 0. */
  onExec?: (channel: ServerChannel, command: string, server: FaultyServer) => void;
}

export class FaultyServer {
  readonly hostKeys: string[];
  /** Fingerprints of keys that were offered, in order. */
  readonly offered: string[] = [];
  readonly commands: string[] = [];
  readonly sockets = new Set<Socket>();
  readonly #listener: TcpServer;

  private constructor(listener: TcpServer, hostKeys: string[]) {
    this.#listener = listener;
    this.hostKeys = hostKeys;
  }

  static async start(behaviour: Behaviour = {}): Promise<FaultyServer> {
    const hostKeys = behaviour.hostKeys ?? [newLoginKey().privateOpenssh];
    const listener = createServer();
    const server = new FaultyServer(listener, hostKeys);
    const ssh = new ssh2.Server({ hostKeys }, (client) => server.#greet(client, behaviour));
    listener.on('connection', (socket) => {
      server.sockets.add(socket);
      // As sshd and dropbear do; else an answer of two packets waits 40 ms for an acknowledgement.
      socket.setNoDelay(true);
      socket.on('close', () => server.sockets.delete(socket));
      socket.on('error', () => {});
      ssh.injectSocket(socket);
    });
    await new Promise<void>((resolve) => listener.listen(behaviour.port ?? 0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return portOf(this.#listener);
  }

  /** How to get in: without a key, unless the server refuses everybody. */
  options(more: Partial<ConnectionOptions> = {}): ConnectionOptions {
    return {
      name: 'faulty',
      address: { user: 'root', host: '127.0.0.1', port: this.port },
      identities: [],
      hostKey: fingerprint(publicBlob(this.hostKeys[0] ?? '')),
      knownHosts: [],
      ...more,
    };
  }

  /** Stops reading and answering, without a word on the wire. */
  hang(): void {
    for (const socket of this.sockets) {
      socket.removeAllListeners('data');
      socket.pause();
    }
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #greet(client: ClientSide, behaviour: Behaviour): void {
    let tries = 0;
    client.on('error', () => {});
    client.on('authentication', (request) => {
      if (request.method === 'none')
        return behaviour.refuseEverybody === true ? request.reject(['publickey']) : request.accept();
      if (request.method !== 'publickey') return request.reject(['publickey']);
      tries += 1;
      this.offered.push(fingerprint(request.key.data));
      if (behaviour.maxTries !== undefined && tries >= behaviour.maxTries) return client.end();
      return request.reject(['publickey']);
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, reject, { command }) => {
        this.commands.push(command);
        if (behaviour.refuseExec === true) return reject();
        const channel = acceptExec();
        channel.on('error', () => {});
        channel.resume();
        const { shellSays = '', shellCode = 0, onExec } = behaviour;
        if (command.startsWith('exec printf'))
          answer(channel, shellSays + shellCheckAnswer(command), shellCode);
        else if (onExec === undefined) answer(channel, '');
        else onExec(channel, command, this);
      });
    });
  }
}

/** Ends a command well. */
export function answer(channel: ServerChannel, text: string, code = 0): void {
  channel.write(text);
  channel.exit(code);
  channel.end();
}

/** A port that says `greeting` to whoever comes, or nothing, and is no SSH server. */
export async function silentPort(greeting?: string): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    if (greeting !== undefined) socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(server),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port on which nobody listens any more. */
export async function closedPort(): Promise<number> {
  const { port, close } = await silentPort();
  await close();
  return port;
}

/** The public half of an OpenSSH private key, as SSH sends it. */
export function publicBlob(privateKey: string): Buffer {
  return parsed(privateKey).getPublicSSH();
}

/** An RSA or ECDSA host key, to stand beside the ed25519 one. */
export function otherHostKey(type: 'rsa' | 'ecdsa'): string {
  return type === 'rsa'
    ? ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }).private
    : ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).private;
}

function parsed(privateKey: string): ParsedKey {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return key;
}

function portOf(server: TcpServer): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** What a POSIX shell prints for the line that the connection checks the shell with. */
function shellCheckAnswer(command: string): string {
  const quoted = command.slice("exec printf %s '".length, -1);
  return quoted.replaceAll(String.raw`'\''`, "'");
}
