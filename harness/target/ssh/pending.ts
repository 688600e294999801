// SPDX-License-Identifier: MIT
/** A connection that is opened when somebody needs it, or a while later: nobody else waits for it. */
import { LabError, messageOf } from '../../errors.ts';
import type { Result } from '../../process.ts';
import type { ExecOptions } from '../target.ts';
import type { ChannelProcess } from './channel.ts';
import type { Connection } from './connection.ts';

/** What a target needs of its connection. */
export type Link = Pick<
  Connection,
  'who' | 'patience' | 'loss' | 'onLoss' | 'exec' | 'start' | 'close' | 'drop'
>;

export class PendingConnection implements Link {
  readonly patience: number;
  readonly #name: string;
  readonly #connect: (signal: AbortSignal) => Promise<Connection>;
  readonly #giveUp = new AbortController();
  readonly #onLoss: Array<(loss: LabError) => void> = [];
  readonly #timer: NodeJS.Timeout;
  #opening: Promise<Connection> | undefined;
  #connection: Connection | undefined;
  #loss: LabError | undefined;

  /**
   * @param delay milliseconds after which it is opened though nobody has needed it
   * @param open opens it, until the signal is aborted
   */
  constructor(
    { name, patience, delay }: { name: string; patience: number; delay: number },
    open: (signal: AbortSignal) => Promise<Connection>,
  ) {
    this.#name = name;
    this.patience = patience;
    this.#connect = open;
    // Whoever waits for it is told, and so are those who listen.
    this.#timer = setTimeout(() => void this.#begin().catch(() => {}), delay).unref();
  }

  get who(): string {
    return this.#connection?.who ?? this.#name;
  }

  get loss(): LabError | undefined {
    return this.#loss ?? this.#connection?.loss;
  }

  onLoss(listener: (loss: LabError) => void): void {
    if (this.#connection !== undefined) this.#connection.onLoss(listener);
    else if (this.#loss === undefined) this.#onLoss.push(listener);
    else listener(this.#loss);
  }

  /** Opens it, if nobody has yet. @throws LabError `LINK_LOST` */
  async open(): Promise<void> {
    await this.#begin();
  }

  async exec(argv: readonly string[], options?: ExecOptions, shown?: readonly string[]): Promise<Result> {
    return (await this.#wait(options)).exec(argv, options, shown);
  }

  async start(argv: readonly string[], shown?: readonly string[]): Promise<ChannelProcess> {
    return (await this.#wait()).start(argv, shown);
  }

  async close(): Promise<void> {
    this.#drop('the rig closed the connection');
    await this.#connection?.close();
  }

  drop(): void {
    this.#drop('the rig dropped the connection');
    this.#connection?.drop();
  }

  #drop(why: string): void {
    clearTimeout(this.#timer);
    if (this.#connection !== undefined) return;
    this.#giveUp.abort();
    this.#lose(new LabError('LINK_LOST', `${this.#name}: ${why}`));
  }

  #begin(): Promise<Connection> {
    clearTimeout(this.#timer);
    if (this.#loss !== undefined) return Promise.reject(this.#loss);
    this.#opening ??= this.#connect(this.#giveUp.signal).then(
      (connection) => this.#opened(connection),
      (cause: unknown) => {
        throw this.#lose(
          new LabError('LINK_LOST', `${this.#name}: there is no SSH connection: ${messageOf(cause)}`, {
            cause,
          }),
        );
      },
    );
    return this.#opening;
  }

  #opened(connection: Connection): Connection {
    this.#connection = connection;
    for (const listener of this.#onLoss) connection.onLoss(listener);
    if (this.#giveUp.signal.aborted) connection.drop();
    return connection;
  }

  #lose(loss: LabError): LabError {
    if (this.#loss !== undefined) return this.#loss;
    this.#loss = loss;
    for (const listener of this.#onLoss) listener(loss);
    return loss;
  }

  async #wait({ deadline }: ExecOptions = {}): Promise<Connection> {
    const opening = this.#begin();
    return deadline?.race(opening, `${this.#name}: waiting for the SSH connection`) ?? opening;
  }
}
