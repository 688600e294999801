// SPDX-License-Identifier: MIT
/**
 * One line into a guest: a virtio port of it, whose other side is a unix socket on this machine. Behind
 * it the rig's agent waits and runs one program at a time (harness/agent/native/line.c).
 */
import { connect, type Socket } from 'node:net';
import { LabError, messageOf } from '../../errors.ts';
import type { Ending } from '../../process.ts';
import { Tap } from '../tap.ts';
import type { RemoteProcess } from '../target.ts';
import { Frames } from './line-frames.ts';

/** What is to run, and as what. */
export interface Program {
  argv: readonly string[];
  /** Its whole environment. */
  environment: Readonly<Record<string, string>>;
}

/** A program at the other end of a line. */
export interface Call extends RemoteProcess {
  /** Ends it, and the line with it. */
  abandon(): void;
}

/** Bytes of complaints that are kept for a listener that has not come yet. */
const KEPT_STDERR = 64 * 1024;
/** The agent's END_OF_INPUT: a line cannot be closed in one direction. */
const END_OF_INPUT = '\u0004\n';

export class Line {
  /** Resolves when the guest has first been ready for a call; rejects when the line is lost before. */
  readonly whenReady: Promise<void>;
  readonly #socket: Socket;
  readonly #name: string;
  #call: RunningCall | undefined;
  /** The guest's side waits for a call. */
  #ready = false;
  #loss: LabError | undefined;
  readonly #onLoss: (why: LabError) => void;

  private constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    let settle: { ready: () => void; lost: (why: LabError) => void } | undefined;
    this.whenReady = new Promise((ready, lost) => (settle = { ready, lost }));
    this.whenReady.catch(() => {});
    this.#onLoss = (why) => settle?.lost(why);
    const frames = new Frames({
      output: (stream, chunk) => this.#call?.take(stream, chunk),
      ready: () => {
        this.#ready = true;
        settle?.ready();
      },
      ended: (ending) => this.#end(ending),
    });
    socket.on('data', (bytes: Buffer) => {
      try {
        frames.feed(bytes);
      } catch (error) {
        this.lose(this.#lost(messageOf(error)));
      }
    });
    socket.on('error', (error) => this.lose(this.#lost(error.message)));
    socket.on('close', () => this.lose(this.#lost('QEMU closed it')));
  }

  /** @param path of QEMU's socket @param name for messages, such as `qemu-arm64: line 1` */
  static connect(path: string, name: string): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const refuse = (cause: Error): void =>
        reject(new LabError('LINE', `${name}: ${messageOf(cause)}`, { cause }));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        resolve(new Line(socket, name));
      });
    });
  }

  /** Whether a call can be made; never again once it is lost. */
  get free(): boolean {
    return this.#ready && this.#call === undefined && this.#loss === undefined;
  }

  /**
   * Starts a program on a free line.
   * @param input all that it reads; undefined for one that has the line to itself, ends its input where
   *   a line begins with END_OF_INPUT, and writes no NUL
   */
  start(program: Program, input?: Buffer): Call {
    const call = new RunningCall(this.#socket, `${this.#name}: ${program.argv.join(' ')}`, (why) =>
      this.lose(this.#lost(why)),
    );
    this.#ready = false;
    this.#call = call;
    this.#socket.write(header(program, input));
    if (input !== undefined) this.#socket.write(input);
    return call;
  }

  /** What runs there ends as a lost link does. */
  lose(why: LabError): void {
    if (this.#loss !== undefined) return;
    this.#loss = why;
    this.#call?.lose(why);
    this.#onLoss(why);
    this.#call = undefined;
    this.#socket.destroy();
  }

  #end(ending: Ending): void {
    this.#call?.conclude(ending);
    this.#call = undefined;
  }

  #lost(why: string): LabError {
    return new LabError('LINK_LOST', `${this.#name} into the guest is gone: ${why}`, {
      hint: 'the console of the guest tells whether its kernel still runs',
    });
  }
}

class RunningCall implements Call {
  readonly ended: Promise<Ending>;
  readonly #socket: Socket;
  readonly #what: string;
  readonly #giveUp: (why: string) => void;
  readonly #streams = { out: new Tap(Number.POSITIVE_INFINITY), err: new Tap(KEPT_STDERR) };
  #over: Error | undefined;
  #resolve: (ending: Ending) => void = () => {};
  #reject: (why: LabError) => void = () => {};

  constructor(socket: Socket, what: string, giveUp: (why: string) => void) {
    this.#socket = socket;
    this.#what = what;
    this.#giveUp = giveUp;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever needs to know awaits it; the others must not be killed by an unhandled rejection.
    this.ended.catch(() => {});
  }

  write(data: string | Buffer): void {
    if (this.#over !== undefined) throw this.#over;
    this.#socket.write(data);
  }

  end(): void {
    if (this.#over === undefined) this.#socket.write(END_OF_INPUT);
  }

  onStdout(listener: (chunk: Buffer) => void): void {
    this.#streams.out.listen(listener);
  }

  onStderr(listener: (chunk: Buffer) => void): void {
    this.#streams.err.listen(listener);
  }

  abandon(): void {
    this.#giveUp('the rig gave up what ran there');
  }

  take(stream: 'out' | 'err', chunk: Buffer): void {
    this.#streams[stream].take(chunk);
  }

  conclude(ending: Ending): void {
    this.#over = new LabError('LINK_LOST', `${this.#what} has ended; nothing can be written to it`);
    this.#resolve(ending);
  }

  lose(why: LabError): void {
    this.#over = why;
    this.#reject(why);
  }
}

function header({ argv, environment }: Program, input: Buffer | undefined): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const words = Buffer.from([...variables, ...argv].map((word) => `${word}\0`).join(''));
  const counts = [hex(variables.length, 4), hex(argv.length, 4), hex(words.length, 8)];
  const mode = input === undefined ? 's' : 'r';
  const line = [mode, ...counts, hex(input?.length ?? 0, 8)].join(' ');
  // Behind whatever a program that died has not read.
  return Buffer.concat([Buffer.from(`\n${line}\n`), words]);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
