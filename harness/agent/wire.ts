// SPDX-License-Identifier: MIT
/**
 * The channel to one agent: requests go out as fast as they are made, answers come back in the same
 * order. The wire breaks once: the first cause rejects what is pending and everything after it.
 */
import { Deadline } from '../deadline.ts';
import { messageOf, TargetHang } from '../errors.ts';
import type { RemoteProcess } from '../target/target.ts';
import { AgentDied, AgentMute, AgentSilent, LinkLost, ProtocolError, TargetSilent } from './errors.ts';
import { decodeMessage, resultOf } from './message.ts';

/** Anything that takes request lines: an agent's wire, or a parent that relays to its child. */
export interface Requests {
  /**
   * Sends one request and resolves to its result.
   * @param allowance milliseconds the agent may take once it has come to this request
   */
  send(line: string, allowance?: number): Promise<object>;
  /** From now on no request may take longer than these milliseconds, also the one that is under way. */
  hurry?(longest: number): void;
  /** The last requests with duration and outcome, oldest first. */
  history(): string[];
}

interface Pending {
  line: string;
  /** When the agent came to it, as far as one can tell from here. */
  since: number;
  allowance: number;
  /** Its stack is the caller's, who wants to see the line of the test and not the one of a socket event. */
  caller: { stack?: string };
  resolve: (result: object) => void;
  reject: (error: Error) => void;
}

/** Milliseconds an agent may take. */
export interface WireLimits {
  /** To greet. */
  greeting: number;
  /** For a request, when nothing else is said. */
  request: number;
  /** To end, when it is at a request: it may never come to its input's end. */
  leaving: number;
}

const HISTORY = 30;
const STDERR_LINES = 20;

export class Wire implements Requests {
  readonly #process: RemoteProcess;
  readonly #label: string;
  readonly #limits: WireLimits;
  readonly #pending: Pending[] = [];
  readonly #history: string[] = [];
  readonly #stderr: string[] = [];
  #count = 0;
  #unsent = '';
  #unread: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #longest = Number.POSITIVE_INFINITY;
  #broken: Error | undefined;
  #closing = false;

  /** The first line: the agent greets without being asked. */
  readonly hello: Promise<object>;

  constructor(process: RemoteProcess, label: string, limits: WireLimits) {
    this.#process = process;
    this.#label = label;
    this.#limits = limits;
    // Expected before anybody listens: what a quick agent has said by now is delivered at once.
    this.hello = this.#expect('(hello)', limits.greeting);
    process.onStdout((chunk) => this.#receive(chunk));
    process.onStderr((chunk) => this.#noteStderr(chunk));
    process.ended.then(
      ({ code, signal }) => this.#break(this.#death(signal ?? `exit code ${code}`)),
      (cause: unknown) => this.#break(this.#lost(cause)),
    );
  }

  send(line: string, allowance = this.#limits.request): Promise<object> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#closing)
      return Promise.reject(new AgentDied(`the agent on ${this.#label} was closed before: ${line}`));
    // Requests made in one go leave in one write.
    if (this.#unsent === '') queueMicrotask(() => this.#flush());
    this.#unsent += `${line}\n`;
    return this.#expect(line, allowance);
  }

  hurry(longest: number): void {
    this.#longest = Math.min(this.#longest, longest);
    const asked = this.#pending[0];
    if (asked !== undefined) this.#setTimer(asked);
  }

  history(): string[] {
    return [...this.#history, ...this.#pending.slice(0, 5).map(({ line }) => `${brief(line)} -> pending`)];
  }

  /** Lets the agent end and waits for that. @throws AgentDied when it ended in any way but well */
  async close(): Promise<void> {
    this.#flush();
    this.#closing = true;
    this.#process.end();
    const silent = (): Error =>
      new AgentSilent(`the agent on ${this.#label} does not end when its input does${this.#doing()}`);
    const idle = this.#pending.length === 0 && this.#broken === undefined;
    const { request, leaving } = this.#limits;
    const limit = Math.min(idle ? request : leaving, this.#longest);
    const { code, signal } = await Deadline.in(limit).race(this.#process.ended, '', silent);
    if (code !== 0) throw this.#death(signal ?? `exit code ${code}`);
  }

  #expect(line: string, allowance: number): Promise<object> {
    const caller = {};
    Error.captureStackTrace(caller);
    const answer = new Promise<object>((resolve, reject) => {
      this.#pending.push({ line, since: performance.now(), allowance, caller, resolve, reject });
    });
    // Whoever made the request handles its failure; a batch may come to it only later.
    answer.catch(() => {});
    if (this.#pending.length === 1) this.#watch();
    return answer;
  }

  #flush(): void {
    if (this.#unsent === '' || this.#broken !== undefined) return;
    const text = this.#unsent;
    this.#unsent = '';
    try {
      this.#process.write(text);
    } catch (cause) {
      this.#break(
        new LinkLost(
          `cannot write to the agent on ${this.#label}${this.#doing()}: ${messageOf(cause)}`,
          cause,
        ),
      );
    }
  }

  #receive(chunk: Buffer): void {
    const [rest = '', ...more] = chunk.toString('latin1').split('\n');
    this.#unread.push(rest);
    for (const next of more) {
      const line = this.#unread.join('');
      this.#unread = [next];
      this.#answer(line);
    }
  }

  #answer(line: string): void {
    if (this.#broken !== undefined) return;
    const asked = this.#pending[0];
    try {
      const message = decodeMessage(line);
      if (asked === undefined || message.n !== this.#count)
        throw new ProtocolError(
          `answer ${message.n} is not the one to request ${this.#count}: ${brief(line)}`,
        );
      this.#count += 1;
      this.#pending.shift();
      this.#settle(asked, () => withoutFrames(() => resultOf(message, brief(asked.line))));
    } catch (error) {
      this.#break(asError(error));
    }
    this.#watch();
  }

  #settle(asked: Pending, result: () => object): void {
    let outcome = 'ok';
    try {
      asked.resolve(result());
    } catch (thrown) {
      const error = asError(thrown);
      outcome = error.message.split(' (request', 1).join('');
      asked.reject(asCalledFrom(asked.caller, error));
    }
    const milliseconds = (performance.now() - asked.since).toFixed(1);
    this.#history.push(`${brief(asked.line)} -> ${outcome}, ${milliseconds} ms`);
    if (this.#history.length > HISTORY) this.#history.shift();
  }

  /** The agent is now at the oldest pending request: its time begins. */
  #watch(): void {
    clearTimeout(this.#timer);
    const asked = this.#pending[0];
    if (asked === undefined) return;
    asked.since = performance.now();
    this.#setTimer(asked);
  }

  #setTimer(asked: Pending): void {
    clearTimeout(this.#timer);
    const allowance = Math.min(asked.allowance, this.#longest);
    const expire = (): void => {
      const seconds = ((performance.now() - asked.since) / 1000).toFixed(1);
      this.#break(this.#count === 0 ? this.#mute(seconds) : this.#silent(seconds));
    };
    this.#timer = setTimeout(expire, allowance);
  }

  #break(cause: Error): void {
    if (this.#broken !== undefined) return;
    this.#broken = cause;
    clearTimeout(this.#timer);
    if (this.#pending[0] !== undefined) asCalledFrom(this.#pending[0].caller, cause);
    for (const { reject } of this.#pending.splice(0)) reject(cause);
  }

  #noteStderr(chunk: Buffer): void {
    this.#stderr.push(...chunk.toString().split('\n').filter(Boolean));
    this.#stderr.splice(0, this.#stderr.length - STDERR_LINES);
  }

  #mute(seconds: string): AgentMute {
    return new AgentMute(`the agent on ${this.#label} did not greet in ${seconds} s${this.#lastWords()}`);
  }

  #silent(seconds: string): AgentSilent {
    return new AgentSilent(`no answer from the agent on ${this.#label} in ${seconds} s${this.#doing()}`);
  }

  #death(how: string): AgentDied {
    return new AgentDied(`the agent on ${this.#label} ended (${how})${this.#doing()}${this.#lastWords()}`);
  }

  #lastWords(): string {
    return this.#stderr.length === 0 ? '' : `\nIts last words:\n${this.#stderr.join('\n')}`;
  }

  #lost(cause: unknown): LinkLost | TargetSilent {
    const message = `lost the link to the agent on ${this.#label}${this.#doing()}: ${messageOf(cause)}`;
    return cause instanceof TargetHang ? new TargetSilent(message, cause) : new LinkLost(message, cause);
  }

  #doing(): string {
    const asked = this.#pending[0];
    const behind = this.#pending.length - 1;
    if (asked === undefined) return ', no request pending';
    return `, no answer yet to: ${brief(asked.line)}${behind > 0 ? ` (${behind} more behind it)` : ''}`;
  }
}

function brief(line: string): string {
  return line.length > 160 ? `${line.slice(0, 160)}...` : line;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/**
 * Frames of its own are of no use to an error that comes out of a socket's event, and dear: V8 puts them together
 * as soon as `stack` is replaced, with Playwright's source maps. Most errors are expected, and never looked at.
 */
function withoutFrames<T>(action: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return action();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The stack is put together when somebody reads it. */
function asCalledFrom(caller: { stack?: string }, error: Error): Error {
  const frames = () => caller.stack?.split('\n').slice(1).join('\n') ?? '';
  Object.defineProperty(error, 'stack', {
    configurable: true,
    get: () => `${error.name}: ${error.message}\n${frames()}`,
    set(value: string) {
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true });
    },
  });
  return error;
}
