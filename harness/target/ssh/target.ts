// SPDX-License-Identifier: MIT
/**
 * A target over SSH: any machine that runs commands for us, as root or through sudo. A guest of an
 * emulator is one too, with abilities of its own that whoever started it passes in.
 */
import { createHash } from 'node:crypto';
import { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { CommandFailed, type Result } from '../../process.ts';
import type {
  Console,
  ExecOptions,
  ExternalMemory,
  KernelTree,
  RemoteProcess,
  Target,
  TargetFacts,
} from '../target.ts';
import { formatAddress } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Keeper, mountOf } from './directory.ts';
import { gatherFacts, type MachineFacts } from './facts.ts';
import { describeKey } from './host-keys.ts';
import { findKernelTree, type KernelTreeChoice } from './kernel-tree.ts';
import { explainLoss, type WhyDead } from './loss.ts';
import { killScript, marked, putScript } from './scripts.ts';

/** What a target over an open connection needs beside it, and the abilities its machine has. */
export interface OverOptions {
  /** Where module headers are; undefined: on the target. */
  kernelTree: KernelTreeChoice;
  /** Directory on the target in which the rig makes its own. */
  directory?: string | undefined;
  /** Goes into the facts, before what the target says about itself. */
  details?: Record<string, string> | undefined;
  console?: Console | undefined;
  externalMemory?: ExternalMemory | undefined;
  whyDead?: WhyDead | undefined;
  /** Called by close() after the connection has ended, also when cleaning up on the target failed. */
  onClose?: (() => Promise<void>) | undefined;
}

/** A machine that is up, known by its address. */
export type SshOptions = ConnectionOptions & Pick<OverOptions, 'kernelTree' | 'directory'>;

/** Milliseconds on real hardware; multiplied by the target's patience. */
const LIMITS = { put: 120_000, polite: 1000, cleanUp: 10_000, kill: 5000 } as const;

const ADMIN_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/**
 * Connects to a machine and makes it ready for use.
 * @throws LabError the errors of {@link Connection.open} and of {@link sshTargetOver}
 */
export async function openSshTarget(options: SshOptions, deadline: Deadline): Promise<Target> {
  return sshTargetOver(await Connection.open(options, deadline), options, deadline);
}

/**
 * Makes a machine that is already connected ready for use. When that fails, the connection is closed
 * and `onClose` is not called: the machine is still the caller's.
 * @throws LabError `TARGET_FACTS`, `TARGET_SUDO`, `KERNEL_TREE_MISSING`, `KERNEL_TREE_WRONG`,
 *   `TARGET_DISK`, `LINK_LOST` (with what `whyDead` says), `DEADLINE`
 */
export async function sshTargetOver(
  connection: Connection,
  options: OverOptions,
  deadline: Deadline,
): Promise<Target> {
  try {
    const wanted = options.kernelTree?.where === 'target' ? options.kernelTree.directory : undefined;
    const machine = await gatherFacts(connection, wanted, deadline);
    const prefix = machine.uid === 0 ? [] : ['sudo', '-n', '--'];
    if (machine.uid !== 0) await checkSudo(connection, prefix, deadline);
    const { who } = connection;
    const tree = await findKernelTree(options.kernelTree, who, machine.kernelRelease, machine.native);
    const keeper = await Keeper.start(connection, prefix, options.directory ?? '/tmp', deadline);
    return new SshTarget(connection, keeper, prefix, machine, tree, options);
  } catch (error) {
    await connection.close();
    throw await explainLoss(error, options.whyDead);
  }
}

class SshTarget implements Target {
  readonly facts: TargetFacts;
  readonly patience: number;
  readonly kernelTree: KernelTree;
  readonly console?: Console;
  readonly externalMemory?: ExternalMemory;
  readonly whyDead?: WhyDead;
  readonly #connection: Connection;
  readonly #keeper: Keeper;
  readonly #prefix: readonly string[];
  readonly #path: string;
  readonly #onClose: (() => Promise<void>) | undefined;
  readonly #started = new Set<RemoteProcess>();
  readonly #files = new Map<string, Promise<string>>();
  #marks = 0;
  #closing: Promise<void> | undefined;

  constructor(
    connection: Connection,
    keeper: Keeper,
    prefix: readonly string[],
    machine: MachineFacts,
    kernelTree: KernelTree,
    options: OverOptions,
  ) {
    this.#connection = connection;
    this.#keeper = keeper;
    this.#prefix = prefix;
    this.#path = [
      ...new Set([...machine.path.split(':').filter((part) => part.startsWith('/')), ...ADMIN_PATH]),
    ].join(':');
    this.#onClose = options.onClose;
    this.facts = describe(connection, machine, prefix, options.details);
    this.patience = connection.patience;
    this.kernelTree = kernelTree;
    if (options.console !== undefined) this.console = options.console;
    if (options.externalMemory !== undefined) this.externalMemory = options.externalMemory;
    if (options.whyDead !== undefined) this.whyDead = options.whyDead;
  }

  get directory(): string {
    return this.#keeper.directory;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
    const mark = this.#nextMark();
    try {
      return await this.#connection.exec(this.#asRoot(mark, argv), options, argv);
    } catch (error) {
      // Giving a channel up does not end what runs behind it.
      if (error instanceof LabError && error.code === 'DEADLINE') this.#kill(mark);
      throw await explainLoss(error, this.whyDead);
    }
  }

  async execOk(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
    const result = await this.exec(argv, options);
    if (result.code !== 0) throw new CommandFailed([`${this.#connection.who}:`, ...argv], result);
    return result;
  }

  async start(argv: readonly string[]): Promise<RemoteProcess> {
    try {
      const process = await this.#connection.start(this.#asRoot(this.#nextMark(), argv), argv);
      const ended = process.ended.catch(async (error: unknown) => {
        throw await explainLoss(error, this.whyDead);
      });
      this.#started.add(process);
      const forget = (): boolean => this.#started.delete(process);
      ended.then(forget, forget);
      return {
        write: (data) => process.write(data),
        end: () => process.end(),
        onStdout: (listener) => process.onStdout(listener),
        onStderr: (listener) => process.onStderr(listener),
        ended,
      };
    } catch (error) {
      throw await explainLoss(error, this.whyDead);
    }
  }

  put(content: Buffer, name: string): Promise<string> {
    if (!/^[\w.+-]+$/.test(name))
      return Promise.reject(new LabError('ARGUMENT', `${JSON.stringify(name)} is no file name for a target`));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const path = `${this.directory}/${sha256.slice(0, 16)}-${name}`;
    const there = this.#files.get(path) ?? this.#send(content, path, sha256);
    this.#files.set(path, there);
    // What failed may be tried again.
    there.catch(() => this.#files.delete(path));
    return there;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #send(content: Buffer, path: string, sha256: string): Promise<string> {
    const deadline = Deadline.in(LIMITS.put * this.patience);
    const result = await this.exec(putScript(path, content.length, sha256), { input: content, deadline });
    if (result.code === 0) return path;
    const said =
      result.stderr.trim() || `the script ended with ${result.signal ?? `exit code ${result.code}`}`;
    const what = `${this.#connection.who}: cannot put ${content.length} bytes to ${path}: ${said}`;
    if (!/no space left|quota exceeded/i.test(said)) throw new LabError('TARGET_PUT', what);
    const mounts = await this.exec(['cat', '/proc/mounts'], { deadline });
    const mount = mountOf(path, mounts.stdout);
    throw new LabError('TARGET_DISK', mount === undefined ? what : `${what}\n  mount    ${mount}`, {
      hint: 'make room there, or give the target another directory',
    });
  }

  async #close(): Promise<void> {
    const deadline = Deadline.in(LIMITS.cleanUp * this.patience);
    try {
      if (this.#connection.loss !== undefined) return;
      for (const process of this.#started) process.end();
      const ended = Promise.allSettled([...this.#started].map((process) => process.ended));
      await deadline
        .atMost(LIMITS.polite * this.patience)
        .race(ended, '')
        .catch(() => {});
      await this.#keeper.stop(deadline);
    } catch (error) {
      // Without a link there is nothing to be done from here; the keeper cleans up by itself.
      if (!(error instanceof LabError) || error.code !== 'LINK_LOST') throw error;
    } finally {
      await this.#connection.close();
      await this.#onClose?.();
    }
  }

  #nextMark(): string {
    this.#marks += 1;
    return `${this.directory}/${this.#marks}`;
  }

  #asRoot(mark: string, argv: readonly string[]): string[] {
    return [...this.#prefix, ...marked(mark, this.#path, argv)];
  }

  #kill(mark: string): void {
    const deadline = Deadline.in(LIMITS.kill * this.patience);
    this.#connection.exec([...this.#prefix, ...killScript(mark)], { deadline }).catch(() => {});
  }
}

async function checkSudo(
  connection: Connection,
  prefix: readonly string[],
  deadline: Deadline,
): Promise<void> {
  const result = await connection.exec([...prefix, 'true'], { deadline });
  if (result.code === 0) return;
  const { user } = connection.address;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').join('; ');
  throw new LabError(
    'TARGET_SUDO',
    `${connection.who}: ${user} is not root and cannot become root: sudo -n: ${said}`,
    {
      hint: `log in as root, or on the target as root: echo '${user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/bufrig`,
    },
  );
}

function describe(
  connection: Connection,
  machine: MachineFacts,
  prefix: readonly string[],
  details: Record<string, string> | undefined,
): TargetFacts {
  return {
    name: connection.name,
    kernelRelease: machine.kernelRelease,
    machine: machine.machine,
    pageBytes: machine.pageBytes,
    bootId: machine.bootId,
    details: {
      ...details,
      ...(machine.model === undefined ? {} : { model: machine.model }),
      'kernel version': machine.kernelVersion,
      address: formatAddress(connection.address),
      'SSH server': connection.banner,
      'host key': describeKey(connection.hostKey.blob),
      ...(prefix.length === 0 ? {} : { root: `through ${prefix.join(' ')}` }),
    },
  };
}
