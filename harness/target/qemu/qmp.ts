// SPDX-License-Identifier: MIT
/** A client for QEMU's machine protocol (QEMU docs/interop/qmp-spec) over a unix socket. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../../errors.ts';
import type { Deadline } from '../../deadline.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Message {
  QMP?: unknown;
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
}

export class Qmp {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #buffered = '';
  #closed: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (cause) => this.#fail(cause));
    socket.on('close', () => this.#fail(undefined));
  }

  /**
   * Connects as soon as QEMU listens, and takes part in the greeting.
   * @param whyStop says why waiting is pointless, once it is: QEMU has exited
   */
  static async connect(path: string, deadline: Deadline, whyStop: () => string | undefined): Promise<Qmp> {
    for (;;) {
      const socket = await dial(path);
      if (socket !== undefined) {
        const qmp = new Qmp(socket);
        await qmp.execute('qmp_capabilities', {}, deadline);
        return qmp;
      }
      const dead = whyStop();
      if (dead !== undefined) throw new LabError('QEMU_FAILED', dead);
      if (deadline.expired) throw new LabError('QMP_SILENT', `QEMU opened no control socket at ${path}`);
      await sleep(10);
    }
  }

  /** Runs one command. @throws LabError `QMP_ERROR`, `QMP_LOST`, `DEADLINE` */
  async execute(command: string, args: Record<string, unknown>, deadline: Deadline): Promise<unknown> {
    if (this.#closed !== undefined) throw this.#closed;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return deadline.race(answer, `QMP command ${command}`);
  }

  /** Runs a command of QEMU's human monitor, for the few things QMP does not offer. */
  async monitor(commandLine: string, deadline: Deadline): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': commandLine }, deadline));
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#buffered += text;
    let end: number;
    while ((end = this.#buffered.indexOf('\n')) >= 0) {
      const message = JSON.parse(this.#buffered.slice(0, end)) as Message;
      this.#buffered = this.#buffered.slice(end + 1);
      if (message.error !== undefined) {
        const { desc } = message.error;
        this.#waiting.shift()?.reject(new LabError('QMP_ERROR', `QEMU refused a command: ${desc}`));
      } else if ('return' in message) {
        this.#waiting.shift()?.resolve(message.return);
      }
    }
  }

  #fail(cause: Error | undefined): void {
    this.#closed ??= new LabError('QMP_LOST', 'the control connection to QEMU is gone', { cause });
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#closed);
  }
}

function dial(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(undefined));
  });
}
