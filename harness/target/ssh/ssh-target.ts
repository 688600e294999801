// SPDX-License-Identifier: MIT
/** The {@link Target} interface over an open connection and a directory that is already there. */
import { createHash } from 'node:crypto';
import { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { CommandFailed, type Result } from '../../process.ts';
import { RestingProcessors } from '../resting-processors.ts';
import type {
  BusMaster,
  Console,
  ExecOptions,
  ExternalMemory,
  KernelTree,
  RemoteProcess,
  Screen,
  Target,
  TargetFacts,
} from '../target.ts';
import { mountOf, type Keeper } from './directory.ts';
import { explainLoss, type Examine, type WhyDead } from './loss.ts';
import type { Nearby } from './nearby.ts';
import type { Link } from './pending.ts';
import { environmentOf, killScript, marked, plainPutScript, putScript } from './scripts.ts';

/** A machine that was looked at and found fit. */
export interface ReadyMachine {
  connection: Link;
  keeper: Pick<Keeper, 'directory' | 'stop'> | OwnDirectory;
  facts: TargetFacts;
  kernelTree: KernelTree;
  /** Put before a command to run it as root. */
  prefix: readonly string[];
  /** PATH for every command. */
  path: string;
}

/** A directory on a machine that ends with the target, so that nobody need look after it. */
export interface OwnDirectory {
  directory: string;
  stop?: undefined;
}

/** What a machine can do beside running commands, as far as whoever started it knows how. */
export interface Abilities {
  /** Folder on this machine: lib/modules/RELEASE of its kernel. */
  kernelModules?: string | undefined;
  console?: Console | undefined;
  externalMemory?: ExternalMemory | undefined;
  busMaster?: BusMaster | undefined;
  copyingDevice?: BusMaster | undefined;
  screen?: Screen | undefined;
  whyDead?: WhyDead | undefined;
  ownFault?: Target['ownFault'];
  settled?: Target['settled'];
  /** All its processors but the first are out of work. */
  processorsRest?: boolean;
  /** Looks at it when the link is lost. */
  examine?: Examine | undefined;
  /** Files that the machine has from the start: their paths by their content's SHA-256. */
  present?: Readonly<Record<string, string>> | undefined;
  /** A shorter way than SSH, for the files that are present and for commands; to a login that is root's. */
  nearby?: Nearby | undefined;
  origin?: Target['origin'];
  /** Called by close() after the connection has ended, also when cleaning up on the target failed. */
  onClose?: (() => Promise<void>) | undefined;
}

/** Milliseconds on real hardware; multiplied by the target's patience. */
const LIMITS = { put: 120_000, polite: 200, cleanUp: 10_000, kill: 5000 } as const;

export class SshTarget implements Target {
  readonly facts: TargetFacts;
  readonly patience: number;
  readonly kernelTree: KernelTree;
  declare readonly kernelModules?: string;
  declare readonly console?: Console;
  declare readonly externalMemory?: ExternalMemory;
  declare readonly busMaster?: BusMaster;
  declare readonly copyingDevice?: BusMaster;
  declare readonly screen?: Screen;
  declare readonly whyDead?: WhyDead;
  declare readonly ownFault?: Target['ownFault'];
  declare readonly settled?: Target['settled'];
  declare readonly restingProcessors?: RestingProcessors;
  declare readonly origin?: 'restored' | 'booted';
  readonly #machine: ReadyMachine;
  readonly #connection: Link;
  readonly #onClose: Abilities['onClose'];
  readonly #examine: Abilities['examine'];
  readonly #present: Readonly<Record<string, string>>;
  readonly #nearby: Nearby | undefined;
  readonly #started = new Set<RemoteProcess>();
  readonly #files = new Map<string, Promise<string>>();
  #marks = 0;
  #closing: Promise<void> | undefined;

  constructor(machine: ReadyMachine, abilities: Abilities) {
    this.#machine = machine;
    this.#connection = machine.connection;
    this.#onClose = abilities.onClose;
    this.#examine = abilities.examine;
    this.#present = abilities.present ?? {};
    this.#nearby = abilities.nearby;
    // Whoever looks whether the machine still answers looks at the connection.
    machine.connection.onLoss((loss) => this.#nearby?.lose(loss));
    this.facts = machine.facts;
    this.patience = machine.connection.patience;
    this.kernelTree = machine.kernelTree;
    // Left out rather than undefined, for whoever looks whether the property is there.
    if (abilities.kernelModules !== undefined) this.kernelModules = abilities.kernelModules;
    if (abilities.console !== undefined) this.console = abilities.console;
    if (abilities.externalMemory !== undefined) this.externalMemory = abilities.externalMemory;
    if (abilities.busMaster !== undefined) this.busMaster = abilities.busMaster;
    if (abilities.copyingDevice !== undefined) this.copyingDevice = abilities.copyingDevice;
    if (abilities.origin !== undefined) this.origin = abilities.origin;
    if (abilities.screen !== undefined) this.screen = abilities.screen;
    if (abilities.whyDead !== undefined) this.whyDead = abilities.whyDead;
    if (abilities.ownFault !== undefined) this.ownFault = abilities.ownFault;
    if (abilities.processorsRest === true) this.restingProcessors = new RestingProcessors(this);
    if (abilities.settled !== undefined) this.settled = abilities.settled;
  }

  get directory(): string {
    return this.#machine.keeper.directory;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
    const mark = this.#nextMark();
    try {
      const near = this.#nearby?.exec(argv, this.#environment(mark), options);
      return await (near ?? this.#connection.exec(this.#asRoot(mark, argv), options, argv));
    } catch (error) {
      // Giving a channel up does not end what runs behind it.
      if (error instanceof LabError && error.code === 'DEADLINE') this.#kill(mark);
      throw await this.#explained(error);
    }
  }

  async execOk(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
    const result = await this.exec(argv, options);
    if (result.code !== 0) throw new CommandFailed([`${this.#connection.who}:`, ...argv], result);
    return result;
  }

  async start(argv: readonly string[]): Promise<RemoteProcess> {
    try {
      const process = await this.#begin(argv);
      const ended = process.ended.catch(async (error: unknown) => {
        throw await this.#explained(error);
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
      throw await this.#explained(error);
    }
  }

  /** Only the rig's own program can be told over the shorter way that its input has ended. */
  async #begin(argv: readonly string[]): Promise<RemoteProcess> {
    const mark = this.#nextMark();
    const own = Object.values(this.#present).includes(argv[0] ?? '');
    const near = own ? this.#nearby?.start(argv, this.#environment(mark)) : undefined;
    return near ?? this.#connection.start(this.#asRoot(mark, argv), argv);
  }

  put(content: Buffer, name: string): Promise<string> {
    if (!/^[\w.+-]+$/.test(name))
      return Promise.reject(new LabError('ARGUMENT', `${JSON.stringify(name)} is no file name for a target`));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const present = this.#present[sha256];
    if (present !== undefined) return Promise.resolve(present);
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
    const ownMachine = this.#machine.keeper.stop === undefined;
    const plain = (): string[] => this.#nearby?.putting(path) ?? plainPutScript(path);
    const script = ownMachine ? plain() : putScript(path, content.length, sha256);
    const result = await this.exec(script, { input: content, deadline });
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
    const { keeper } = this.#machine;
    if (keeper.stop === undefined) {
      this.#connection.drop();
      await this.#onClose?.();
      return;
    }
    try {
      if (this.#connection.loss !== undefined) return;
      for (const process of this.#started) process.end();
      const ended = Promise.allSettled([...this.#started].map((process) => process.ended));
      await deadline
        .atMost(LIMITS.polite * this.patience)
        .race(ended, '')
        .catch(() => {});
      await keeper.stop(deadline);
      // Those it killed have ended, but the news may still be on its way.
      await deadline
        .atMost(LIMITS.polite * this.patience)
        .race(ended, '')
        .catch(() => {});
    } catch (error) {
      // Without a link there is nothing to be done from here; the keeper cleans up by itself.
      if (!(error instanceof LabError) || error.code !== 'LINK_LOST') throw error;
    } finally {
      await this.#connection.close();
      await this.#onClose?.();
    }
  }

  /** What the rig itself ended needs no explanation. */
  #explained(error: unknown): Promise<unknown> {
    return explainLoss(error, this.whyDead, this.#closing === undefined ? this.#examine : undefined);
  }

  #nextMark(): string {
    this.#marks += 1;
    return `${this.directory}/${this.#marks}`;
  }

  #asRoot(mark: string, argv: readonly string[]): string[] {
    return [...this.#machine.prefix, ...marked(mark, this.#machine.path, argv)];
  }

  #environment(mark: string): Record<string, string> {
    return environmentOf(mark, this.#machine.path);
  }

  #kill(mark: string): void {
    const deadline = Deadline.in(LIMITS.kill * this.patience);
    this.#connection.exec([...this.#machine.prefix, ...killScript(mark)], { deadline }).catch(() => {});
  }
}
