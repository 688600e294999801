// SPDX-License-Identifier: MIT
/**
 * The agent as a test sees it: an object on the target that opens files, maps memory and forks.
 * Every method is one request; requests that are not awaited one by one travel together.
 */
import type { Deadline } from '../deadline.ts';
import type { RemoteProcess } from '../target/target.ts';
import { forkChild, type Child } from './child.ts';
import { attempt, ProtocolError, type Outcome } from './errors.ts';
import { anonymousMemory, mapMemory, type AgentMapping, type MapRequest } from './memory.ts';
import { searchCore, type CoreSearch } from './pages.ts';
import { encodeRequest, described, type Argument, type Hello } from './message.ts';
import { Wire, type Requests } from './wire.ts';

export type { Hello } from './message.ts';

const PROTOCOL = 1;
/** Milliseconds one request may take on real hardware; a kernel that hangs in it says so before (hang-limits.ts). */
export const ALLOWANCE = 90_000;

/** Milliseconds on real hardware in which an agent that is at a request may still end. */
const LEAVING = 10_000;

/**
 * Milliseconds for an agent to greet, long enough for a kernel that hangs, and for a link that is lost, to be told as
 * what they are (hang-limits.ts), and shorter than a test may take.
 */
export function greetingLimit(patience: number): number {
  return Math.max(110_000, 10_000 * patience);
}

type Access = 'rdonly' | 'wronly' | 'rdwr';
/** As in open(2) without the O_, further flags behind commas: `rdwr,nonblock`. */
export type OpenFlags = Access | `${Access},${string}`;

export interface IoctlResult {
  /** What ioctl() returned, 0 or more; a new descriptor for some. */
  returned: number;
  /** The argument's bytes after the call. */
  data: Buffer;
}

export interface AgentOptions {
  /** Factor on the time a request may take, as in Target.patience; 1 unless given. */
  patience?: number;
  /** Milliseconds that one request may take, if not the usual. */
  allowance?: number | undefined;
  /** See {@link Agent.makeRoom}. */
  makeRoom?: () => Promise<void> | undefined;
}

export class Agent {
  readonly hello: Hello;
  /** What the agent is called in messages. */
  readonly label: string;
  readonly #requests: Requests;
  readonly #options: AgentOptions;
  readonly #end: () => Promise<void>;

  constructor(
    requests: Requests,
    hello: Hello,
    label: string,
    end: () => Promise<void>,
    options: AgentOptions = {},
  ) {
    this.#requests = requests;
    this.hello = hello;
    this.label = label;
    this.#end = end;
    this.#options = options;
  }

  /**
   * Waits for the agent's greeting on a process that was just started; without a right one the process is ended.
   * @throws AgentDied, LinkLost, ProtocolError; AgentMute when the deadline passes
   */
  static async start(
    process: RemoteProcess,
    label: string,
    deadline: Deadline,
    options: AgentOptions = {},
  ): Promise<Agent> {
    const { patience = 1 } = options;
    const limits = {
      greeting: deadline.remaining,
      request: ALLOWANCE * patience,
      leaving: LEAVING * patience,
    };
    const wire = new Wire(process, label, limits);
    try {
      const hello = described<Hello>(await wire.hello);
      if (hello.name !== 'bufrig-agent' || hello.protocol !== PROTOCOL)
        throw new ProtocolError(
          `${label} runs ${hello.name} with protocol ${hello.protocol}, this client speaks ${PROTOCOL}`,
        );
      return new Agent(wire, hello, label, () => wire.close(), options);
    } catch (error) {
      process.end();
      throw error;
    }
  }

  /** Bytes in one page of the target's kernel. */
  get pageBytes(): number {
    return this.hello.pageBytes;
  }

  /**
   * Puts one request to the agent as it could be typed. Use the methods where there is one.
   * @returns the result's members; addresses and 64-bit values are strings `0x...`
   * @throws SyscallError, MemoryFault: facts; RequestRefused; AgentDied, LinkLost, AgentSilent, ProtocolError: trouble
   */
  async request<T extends object>(verb: string, ...args: Argument[]): Promise<T> {
    return described<T>(await this.#requests.send(encodeRequest(verb, args), this.#options.allowance));
  }

  /** Puts a line to the agent as it is, for one that the agent itself has told. */
  async say(line: string): Promise<object> {
    return this.#requests.send(line, this.#options.allowance);
  }

  /** The same agent, whose requests may take this many milliseconds each on real hardware. */
  allowing(milliseconds: number): Agent {
    const allowance = milliseconds * (this.#options.patience ?? 1);
    const options = { ...this.#options, allowance };
    return new Agent(this.#requests, this.hello, this.label, this.#end, options);
  }

  /** From now on no request may take longer than these milliseconds, also the one that is under way. */
  hurry(longest: number): void {
    this.#requests.hurry?.(longest);
  }

  /**
   * Sees to it that what is begun now can run beside what follows, for whoever begins something.
   * @returns undefined where it can, so that requests keep their order
   */
  makeRoom(): Promise<void> | undefined {
    return this.#options.makeRoom?.();
  }

  /** The last requests with duration and outcome, oldest first; evidence for a report. */
  history(): string[] {
    return this.#requests.history();
  }

  /** Lets the agent end and waits for that. @throws AgentDied when it did not end well */
  end(): Promise<void> {
    return this.#end();
  }

  /** {@link attempt}, where a test has only the agent at hand. */
  attempt<T>(action: () => Promise<T>): Promise<Outcome<T>> {
    return attempt(action);
  }

  /** @returns the descriptor's number on the target. @throws SyscallError */
  async open(path: string, flags: OpenFlags, mode = 0o600): Promise<number> {
    return (await this.request<{ fd: number }>('open', path, flags, mode)).fd;
  }

  async close(fd: number): Promise<void> {
    await this.request('close', fd);
  }

  async dup(fd: number): Promise<number> {
    return (await this.request<{ fd: number }>('dup', fd)).fd;
  }

  async seek(
    fd: number,
    offset: number | bigint,
    whence: 'set' | 'current' | 'end' | 'data' | 'hole',
  ): Promise<bigint> {
    return BigInt((await this.request<{ offset: string }>('lseek', fd, offset, whence)).offset);
  }

  /** At most `bytes` bytes, from `offset` or from where the file stands. */
  async read(fd: number, bytes: number, offset?: number | bigint): Promise<Buffer> {
    const at = offset === undefined ? [] : [offset];
    return Buffer.from((await this.request<{ data: string }>('read', fd, bytes, ...at)).data, 'hex');
  }

  /** @returns the number of bytes written */
  async write(fd: number, data: Buffer, offset?: number | bigint): Promise<number> {
    const at = offset === undefined ? [] : [offset];
    return (await this.request<{ bytes: number }>('write', fd, data.toString('hex'), ...at)).bytes;
  }

  /** The text of a small file, one of /proc for example; bytes that are not ASCII as Latin-1. */
  async readText(path: string): Promise<string> {
    return (await this.request<{ text: string }>('cat', path)).text;
  }

  /**
   * Writes a small file with one write(), as the files of /proc and /sys take their values.
   * @throws SyscallError of what failed first
   */
  async writeText(path: string, text: string, flags: OpenFlags = 'wronly'): Promise<void> {
    const fd = await this.open(path, flags);
    const [written, closed] = await Promise.allSettled([this.write(fd, Buffer.from(text)), this.close(fd)]);
    for (const outcome of [written, closed]) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /**
   * ioctl() with a pointer to these bytes. Nothing readable lies behind them on the target, so a
   * driver that takes more than it was given gets EFAULT.
   */
  async ioctl(fd: number, request: number | bigint, data?: Buffer): Promise<IoctlResult> {
    const args = data === undefined ? [] : [data.toString('hex')];
    const { returned, data: after } = await this.request<{ returned: number; data: string }>(
      'ioctl',
      fd,
      request,
      ...args,
    );
    return { returned, data: Buffer.from(after, 'hex') };
  }

  /**
   * Makes the same call until it succeeds. @returns what it told then, and how often it had failed before
   * @throws SyscallError as the last of `times` calls ended, when none succeeded
   */
  async ioctlUntil(
    fd: number,
    request: number | bigint,
    data: Buffer,
    times: number,
  ): Promise<{ failed: number; data: Buffer }> {
    const hex = data.toString('hex');
    const told = await this.request<{ failed: number; data: string }>('ioctl-until', fd, request, hex, times);
    return { failed: told.failed, data: Buffer.from(told.data, 'hex') };
  }

  /** ioctl() whose third argument is this number or address. @returns what it returned */
  async ioctlAt(fd: number, request: number | bigint, argument: number | bigint): Promise<number> {
    return (await this.request<{ returned: number }>('ioctl-at', fd, request, argument)).returned;
  }

  /** @throws SyscallError with the errno of mmap() */
  mmap(request: MapRequest): Promise<AgentMapping> {
    return mapMemory(this, request);
  }

  /** Anonymous private memory, readable and writable, of small pages. */
  anonymous(bytes: number): Promise<AgentMapping> {
    return anonymousMemory(this, bytes);
  }

  /** A child process with a copy of everything this one has: memory, mappings, descriptors. */
  fork(): Promise<Child> {
    return forkChild(
      this,
      this.#requests,
      (...parts) => new Agent(...parts, { ...this.#options, allowance: undefined }),
    );
  }

  /** Open descriptors of the agent's process. */
  async openFiles(): Promise<{ fd: number; file: string }[]> {
    return (await this.request<{ open: { fd: number; file: string }[] }>('fds')).open;
  }

  /**
   * Searches all physical memory, from inside, for the signatures of one nonce. Takes seconds.
   * @throws SyscallError where the kernel has no /proc/kcore
   */
  findInKcore(nonce: bigint, pages: number): Promise<CoreSearch> {
    return searchCore(this, nonce, pages);
  }

  /** Writes a line of its own into the kernel's log: a bookmark. */
  async mark(text: string): Promise<void> {
    await this.request('mark', text);
  }
}
