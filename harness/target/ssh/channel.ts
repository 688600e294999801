// SPDX-License-Identifier: MIT
/** One command on the other side of an SSH channel: its streams, and the truth about how it ended. */
import { constants } from 'node:os';
import type { ClientChannel } from 'ssh2';
import { LabError } from '../../errors.ts';
import type { Ending } from '../../process.ts';
import { Tap } from '../tap.ts';
import type { RemoteProcess } from '../target.ts';

/** Bytes of standard error that are kept for a listener that has not come yet. */
const KEPT_STDERR = 64 * 1024;

export class ChannelProcess implements RemoteProcess {
  readonly ended: Promise<Ending>;
  /** It was told that there is no more input, and has not been given up. */
  leaving = false;
  readonly #channel: ClientChannel;
  readonly #stdout = new Tap(Number.POSITIVE_INFINITY);
  readonly #stderr = new Tap(KEPT_STDERR);
  readonly #linkLoss: () => LabError | undefined;
  readonly #what: string;
  #closed = false;

  /**
   * @param what the command, for messages
   * @param linkLoss says how the link was lost, or undefined while it stands
   */
  constructor(channel: ClientChannel, what: string, linkLoss: () => LabError | undefined) {
    this.#channel = channel;
    this.#what = what;
    this.#linkLoss = linkLoss;
    channel.on('data', (chunk: Buffer) => this.#stdout.take(chunk));
    channel.stderr.on('data', (chunk: Buffer) => this.#stderr.take(chunk));
    // Writing to a process that is gone shows in how it ended.
    channel.on('error', () => {});
    this.ended = this.#end();
    // Whoever needs to know awaits `ended`; the others must not be killed by an unhandled rejection.
    this.ended.catch(() => {});
  }

  write(data: string | Buffer): void {
    if (this.#closed) throw this.#linkLoss() ?? this.#lost('has ended; nothing can be written to it');
    this.#channel.write(data);
  }

  end(data?: string | Buffer): void {
    if (this.#closed) return;
    this.leaving = true;
    this.#channel.end(data);
  }

  onStdout(listener: (chunk: Buffer) => void): void {
    this.#stdout.listen(listener);
  }

  onStderr(listener: (chunk: Buffer) => void): void {
    this.#stderr.listen(listener);
  }

  /** Gives the channel up; the process on the other side may live on. */
  abandon(): void {
    this.leaving = false;
    this.#channel.close();
  }

  /** Settles once both streams are read to their end and the channel is closed. */
  #end(): Promise<Ending> {
    const channel = this.#channel;
    return new Promise((resolve, reject) => {
      let ending: Ending | undefined;
      channel.once('exit', (code: number | null, signal?: string) => {
        ending = { code, signal: signal === undefined ? null : signalOf(signal) };
      });
      let open = 2;
      const settle = (): void => {
        open -= 1;
        if (open > 0) return;
        this.#closed = true;
        // Even with an exit status, output may be missing when the link broke: not an ending to trust.
        const loss = this.#linkLoss();
        if (loss !== undefined) reject(loss);
        else if (ending === undefined) reject(this.#lost('ended without an exit status'));
        else resolve(ending);
      };
      channel.once('close', settle);
      channel.stderr.once('close', settle);
    });
  }

  #lost(how: string): LabError {
    return new LabError('LINK_LOST', `${this.#what} ${how}`, {
      hint: 'the SSH server on the target may have been killed or be out of memory; read its log',
    });
  }
}

/** RFC 4254, 6.10 lets a server send names of its own; the process was killed all the same. */
function signalOf(name: string): NodeJS.Signals {
  return isSignal(name) ? name : 'SIGKILL';
}

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals;
}
