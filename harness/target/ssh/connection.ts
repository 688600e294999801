// SPDX-License-Identifier: MIT
/**
 * One SSH connection: opened step by step, commands run over it, and its loss told as what it is.
 * The only file that loads the ssh2 package; everything else sees argument arrays and results.
 */
import ssh2, { type Client } from 'ssh2';
import { Deadline } from '../../deadline.ts';
import { LabError, messageOf } from '../../errors.ts';
import type { Result } from '../../process.ts';
import type { ExecOptions } from '../target.ts';
import { formatAddress, type SshAddress } from './address.ts';
import { ChannelProcess } from './channel.ts';
import { breaksOnConcurrentEnd } from './dropbear.ts';
import { enter, lookAtHostKeys, silenceOf, type ConnectionOptions, type Entry } from './entry.ts';
import type { HostKey } from './known-hosts.ts';
import { STEP_LIMITS } from './ladder.ts';
import { commandLine } from './quote.ts';
import { Sessions } from './sessions.ts';

export type { ConnectionOptions } from './entry.ts';

/** Commands at once per connection: OpenSSH allows 10 sessions, and ends them late. */
const MAX_EXECS = 4;
/** Milliseconds a process may take to end after its input did, where the next has to wait for that. */
const LEAVE_LIMIT = 1000;
export class Connection {
  readonly name: string;
  readonly address: SshAddress;
  readonly patience: number;
  /** The server's identification, for example `SSH-2.0-dropbear_2022.83`. */
  readonly banner: string;
  /** The host key that was accepted. */
  readonly hostKey: HostKey;
  readonly #client: Client;
  readonly #silence: number;
  readonly #execs: Sessions;
  /** Nothing may end while a channel is being opened, see {@link breaksOnConcurrentEnd}. */
  readonly #oneAtATime: boolean;
  readonly #processes = new Set<ChannelProcess>();
  readonly #closed: Promise<void>;
  readonly #onLoss: Array<(loss: LabError) => void> = [];
  #loss: LabError | undefined;

  private constructor(options: ConnectionOptions, { client, banner, hostKey }: Entry) {
    this.name = options.name;
    this.address = options.address;
    this.patience = options.patience ?? 1;
    this.#silence = silenceOf(options);
    this.banner = banner;
    this.hostKey = hostKey;
    this.#client = client;
    this.#oneAtATime = breaksOnConcurrentEnd(banner);
    this.#execs = new Sessions(this.#oneAtATime ? 1 : MAX_EXECS);
    client.on('error', (error) => this.#lose(error.message));
    this.#closed = new Promise((resolve) => {
      client.once('close', () => {
        this.#lose('the server closed the connection');
        resolve();
      });
    });
  }

  /**
   * Connects, checks the host key, logs in, and sees that the login shell runs a command.
   * @throws LabError `SSH_NAME`, `SSH_REFUSED`, `SSH_UNREACHABLE`, `SSH_NO_BANNER`, `SSH_HANDSHAKE`,
   *   `SSH_HOST_KEY_UNKNOWN`, `SSH_HOST_KEY_MISMATCH`, `SSH_HOST_KEY_REVOKED`, `SSH_KEY`, `SSH_AUTH`,
   *   `SSH_SHELL`, `LINK_LOST`, `DEADLINE`
   */
  static async open(options: ConnectionOptions, deadline: Deadline): Promise<Connection> {
    const connection = new Connection(options, await enter(ssh2, options, deadline));
    try {
      if (options.knownShell !== true) await connection.#checkShell(deadline);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Name and address, for messages. */
  get who(): string {
    return `${this.name} (${formatAddress(this.address)})`;
  }

  /** How the link was lost; undefined while it stands. */
  get loss(): LabError | undefined {
    return this.#loss;
  }

  /** @param listener told once, when the link is lost */
  onLoss(listener: (loss: LabError) => void): void {
    if (this.#loss === undefined) this.#onLoss.push(listener);
    else listener(this.#loss);
  }

  /**
   * Runs a command to its end. Without a deadline it may take for ever, as long as the link stands.
   * @param shown the command as messages give it
   * @throws LabError `LINK_LOST` also when no exit status came; `DEADLINE`: the command may live on
   */
  async exec(
    argv: readonly string[],
    options: ExecOptions = {},
    shown: readonly string[] = argv,
  ): Promise<Result> {
    return this.#execs.use(options.deadline, async () => {
      const process = await this.#run(argv, shown, options.deadline);
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      process.onStdout((chunk) => stdout.push(chunk));
      process.onStderr((chunk) => stderr.push(chunk));
      process.end(options.input ?? '');
      try {
        const what = `${this.who}: running ${show(shown)}`;
        const ending = await (options.deadline?.race(process.ended, what) ?? process.ended);
        return {
          ...ending,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        };
      } catch (error) {
        process.abandon();
        throw error;
      }
    });
  }

  /** Starts a command and leaves its streams open. @throws LabError `LINK_LOST` */
  async start(argv: readonly string[], shown: readonly string[] = argv): Promise<ChannelProcess> {
    const run = (): Promise<ChannelProcess> => this.#run(argv, shown, undefined);
    return this.#oneAtATime ? this.#execs.use(undefined, run) : run();
  }

  /** Ends the connection; commands that still run see it as a lost link. Safe to call twice. */
  async close(): Promise<void> {
    this.#lose('the rig closed the connection');
    this.#client.end();
    const polite = Deadline.in(1000 * this.patience);
    await polite.race(this.#closed, 'closing').catch(() => this.#client.destroy());
  }

  /** Ends the connection without a word to the other side, which may be gone. */
  drop(): void {
    this.#lose('the rig dropped the connection');
    this.#client.destroy();
  }

  async #run(
    argv: readonly string[],
    shown: readonly string[],
    deadline: Deadline | undefined,
  ): Promise<ChannelProcess> {
    const what = show(shown);
    if (this.#oneAtATime) await this.#letEnd();
    const opening = this.#begin(commandLine(argv), what);
    try {
      const doing = `${this.who}: opening a channel for ${what}`;
      const process = await (deadline?.race(opening, doing) ?? opening);
      this.#processes.add(process);
      const forget = (): boolean => this.#processes.delete(process);
      process.ended.then(forget, forget);
      return process;
    } catch (error) {
      // A channel that opens after we gave up must not stay behind.
      opening.then((process) => process.abandon()).catch(() => {});
      throw error;
    }
  }

  /** Waits for processes that were told to end; one that does not obey is waited for only once. */
  async #letEnd(): Promise<void> {
    const leaving = [...this.#processes].filter((process) => process.leaving);
    if (leaving.length === 0) return;
    const ended = Promise.allSettled(leaving.map((process) => process.ended));
    const limit = Deadline.in(LEAVE_LIMIT * this.patience);
    await limit.race(ended, '').catch(() => {
      for (const process of leaving) process.leaving = false;
    });
  }

  async #begin(command: string, what: string): Promise<ChannelProcess> {
    // OpenSSH frees a session only when it has reaped its process, so a refusal may be momentary.
    for (let tries = 1; ; tries += 1) {
      if (this.#loss !== undefined) throw this.#loss;
      try {
        return await this.#openChannel(command, what);
      } catch (cause) {
        if (this.#loss !== undefined) throw this.#loss;
        const refused = cause instanceof Error && 'reason' in cause;
        if (refused && tries < 10) await new Promise((resolve) => setTimeout(resolve, 20 * tries));
        else throw this.#noChannel(what, cause);
      }
    }
  }

  #openChannel(command: string, what: string): Promise<ChannelProcess> {
    return new Promise((resolve, reject) => {
      this.#client.exec(command, (error, channel) => {
        if (error !== undefined) return reject(error);
        // Listened to at once, not after an await: a short command's exit status may come in the same
        // packet as the news that it runs.
        resolve(new ChannelProcess(channel, `${this.who}: ${what}`, () => this.#loss));
      });
    });
  }

  #noChannel(what: string, cause: unknown): LabError {
    return new LabError('SSH_CHANNEL', `${this.who}: the server does not run ${what}: ${messageOf(cause)}`, {
      cause,
      hint: 'the account may be restricted (ForceCommand, command= in authorized_keys), or MaxSessions too low',
    });
  }

  #lose(why: string): void {
    const seconds = this.#silence / 1000;
    const how = why.startsWith('Keepalive') ? `the target did not answer for ${seconds} s` : why;
    if (this.#loss !== undefined) return;
    const loss = new LabError('LINK_LOST', `${this.who}: the SSH connection is gone: ${how}`, {
      hint: 'the console or the log of the target tells whether its kernel still runs',
    });
    this.#loss = loss;
    for (const listener of this.#onLoss) listener(loss);
  }

  /** The login shell must hand arguments on unchanged and print nothing of its own. */
  async #checkShell(deadline: Deadline): Promise<void> {
    const hard = `a 'b' "c" $HOME \\ * ; &\n!`;
    const limit = deadline.atMost(STEP_LIMITS.shell * this.patience);
    let said: Result | undefined;
    let cause: unknown;
    try {
      said = await this.exec(['printf', '%s', hard], { deadline: limit });
      if (said.code === 0 && said.stdout === hard) return;
    } catch (error) {
      if (this.#loss !== undefined) throw error;
      cause = error;
    }
    const what = said === undefined ? messageOf(cause) : describeShell(said, hard);
    throw new LabError('SSH_SHELL', `${this.who}: logged in, but the login shell is of no use: ${what}`, {
      cause,
      hint: 'the account needs a POSIX shell that prints nothing at login (see its passwd line and profile)',
    });
  }
}

/** A command for messages: a script's text is no help there. */
function show(argv: readonly string[]): string {
  return argv.map((word) => (word.includes('\n') ? '...' : word)).join(' ');
}

function describeShell(said: Result, sent: string): string {
  const output = (said.stdout + said.stderr).trim().slice(0, 300);
  if (said.code !== 0) return `it ended with ${said.signal ?? `exit code ${said.code}`}: ${output}`;
  return `it was to print ${JSON.stringify(sent)} and printed ${JSON.stringify(output)}`;
}

/**
 * Every host key a server shows, one per type, without logging in and without trusting any.
 * @throws the errors of {@link Connection.open} up to the key exchange
 */
export function presentedHostKeys(address: SshAddress, deadline: Deadline): Promise<HostKey[]> {
  return lookAtHostKeys(ssh2, address, deadline);
}
