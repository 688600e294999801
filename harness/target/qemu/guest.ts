// SPDX-License-Identifier: MIT
/** One QEMU process: its command line, its control connection, and the account of its death. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { architectureFacts } from '../../build/architectures.ts';
import { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { endOf, startOwned, type Ending } from '../../process.ts';
import { REST_AT_BOOT } from '../resting-processors.ts';
import type { ExternalMemory, Screen } from '../target.ts';
import type { Examination } from '../ssh/loss.ts';
import type { AcceleratorName } from './accelerator.ts';
import { ConsoleFile } from './console-file.ts';
import { examineGuest } from './examination.ts';
import { hangArguments, hangLimits } from './hang-limits.ts';
import type { Machine } from './machines.ts';
import { Lines, lineSocket } from './lines.ts';
import { loadState, saveState } from './migration.ts';
import { memoryOfProcess } from './process-memory.ts';
import { Qmp } from './qmp.ts';
import type { Recipe } from './recipe.ts';
import type { RunFolder } from './run-folder.ts';
import { RamfbScreen } from './screen.ts';

/** What decides about the hardware that the guest's kernel is told of. */
export interface MachineOptions {
  machine: Machine;
  accelerator: AcceleratorName;
  cpus: number;
  memoryMiB: number;
}

export interface GuestOptions extends MachineOptions {
  kernel: string;
  initramfs: string;
  /** Path of the device tree, if it is not the machine's own. */
  deviceTree?: string | undefined;
  /** Kernel arguments beside the console. */
  append: string[];
  ram: GuestRam;
  /** How many lines lead into it; see lines.ts. */
  lines: number;
}

export interface GuestRam {
  /** The file that is, or at first is, the guest's RAM. */
  file: string;
  /**
   * `file`: the file is the RAM. `copy`: the file stays as it is, and of what the guest writes QEMU has
   * copies of its own (MAP_PRIVATE); the guest does not run but waits for {@link Guest.restore}.
   */
  as: 'file' | 'copy';
}

/** What every guest is told: what makes faults loud and a panic end QEMU (CONFORMANCE.md section 2), and more. */
const KERNEL_ARGUMENTS = [
  'panic=-1',
  'init_on_alloc=0',
  'page_poison=1',
  'slub_debug=FZ',
  // Neither silences a message after the first few hundred lines nor hides addresses in splats.
  'printk.devkmsg=on',
  'no_hash_pointers',
  // What a kernel says while it sleeps, or does not wake, is heard.
  'no_console_suspend',
  REST_AT_BOOT,
];

const CONSOLE_LINES_IN_MESSAGES = 25;

export class Guest {
  readonly console: ConsoleFile;
  readonly #options: GuestOptions;
  readonly #folder: RunFolder;
  readonly screen: Screen;
  readonly #process: ChildProcess;
  readonly #ended: Promise<Ending>;
  #ending: Ending | Error | undefined;
  #stderr = '';
  #qmp: Qmp | undefined;
  #stopping = false;
  #examination: Promise<Examination> | undefined;

  private constructor(folder: RunFolder, options: GuestOptions) {
    this.#options = options;
    this.#folder = folder;
    this.console = new ConsoleFile(folder.file('console.log'));
    this.screen = new RamfbScreen(() => this.qmp, folder.file('screen.ppm'));
    const emulator = architectureFacts(options.machine.architecture).qemu.program;
    this.#process = startOwned([emulator, ...commandLine(folder, options)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#ended = endOf(this.#process, emulator);
    this.#ended.then(
      (ending) => (this.#ending = ending),
      (error: Error) => (this.#ending = error),
    );
  }

  /**
   * Starts QEMU and its control connection; the guest's kernel runs when this returns.
   * @throws LabError `QEMU_FAILED` with QEMU's own words
   */
  static async start(folder: RunFolder, options: GuestOptions, deadline: Deadline): Promise<Guest> {
    const guest = new Guest(folder, options);
    try {
      guest.#qmp = await Qmp.connect(folder.file('qmp.sock'), deadline, () => guest.whyDead());
      return guest;
    } catch (error) {
      await guest.stop();
      throw error;
    }
  }

  /** Where this process has the guest's RAM. */
  get externalMemory(): ExternalMemory {
    const { machine, memoryMiB, ram } = this.#options;
    const regions = machine.ram(memoryMiB * 1024 * 1024);
    if (ram.as === 'file') return { file: ram.file, regions };
    return memoryOfProcess(this.#process.pid ?? 0, ram.file, regions);
  }

  /** Halts the guest and saves all of it but its RAM, which is in its file when QEMU has ended. */
  async save(deadline: Deadline): Promise<Buffer> {
    await this.qmp.execute('stop', {}, deadline);
    return saveState(this.qmp, this.#folder.file('state.sock'), deadline);
  }

  /** Puts a guest that waits for it into a saved state, and lets it run. @throws LabError `SAVED_STATE` */
  async restore(state: Buffer, deadline: Deadline): Promise<void> {
    await loadState(this.qmp, this.#folder.file('state.sock'), state, deadline, () => this.whyDead());
    await this.qmp.execute('cont', {}, deadline);
  }

  /** The lines into it, connected; undefined when it has none. Whoever gets them closes them. */
  async lines({ spec, agent }: Pick<Recipe, 'spec' | 'agent'>): Promise<Lines | undefined> {
    return this.#options.lines === 0 ? undefined : Lines.connect(spec.name, agent.path, this.#folder);
  }

  get qmp(): Qmp {
    if (this.#qmp === undefined) throw new LabError('QMP_LOST', 'QEMU has no control connection');
    return this.#qmp;
  }

  /** The TCP port on the host's loopback that leads to the guest's SSH port; QEMU chose a free one. */
  async sshPort(deadline: Deadline): Promise<number> {
    const table = await this.qmp.monitor('info usernet', deadline);
    const port = /HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+22\b/.exec(table)?.[1];
    if (port === undefined) {
      throw new LabError('QEMU_FAILED', `QEMU forwards no port to the guest's SSH:\n${table}`);
    }
    return Number(port);
  }

  /** Why the guest is dead, with the console's last lines; undefined while it runs. */
  whyDead(): string | undefined {
    if (this.#ending === undefined || this.#stopping) return undefined;
    if (this.#ending instanceof Error) return this.#ending.message;
    const { code, signal } = this.#ending;
    const how = signal === null ? `exited with ${code}` : `was killed by ${signal}`;
    const panic = /Kernel panic - not syncing: .*/.exec(this.console.textNow())?.[0];
    const what = panic === undefined ? `QEMU ${how}` : `the guest's kernel panicked (${panic})`;
    const said = this.#stderr.trim();
    return [what, ...(said === '' ? [] : [`QEMU said:\n${said}`]), ...this.lastConsoleLines()].join('\n');
  }

  /** What can be seen of the guest without its help; looked at once for all who ask at a time. */
  examine(): Promise<Examination> {
    this.#examination ??= examineGuest(this.#process.pid ?? 0, this.qmp).finally(
      () => (this.#examination = undefined),
    );
    return this.#examination;
  }

  lastConsoleLines(): string[] {
    const lines = this.console.tailNow(CONSOLE_LINES_IN_MESSAGES);
    return [lines === '' ? 'the console is empty' : `the console's last lines:\n${lines}`];
  }

  /** Whether the guest's kernel prints anything before the deadline. */
  async makesProgress(deadline: Deadline): Promise<boolean> {
    while (!deadline.expired && this.#ending === undefined) {
      if (this.console.textNow().includes('Linux version')) return true;
      await sleep(50);
    }
    return false;
  }

  /** Ends QEMU at once. For a guest of which nothing is wanted any more. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#process.kill('SIGKILL');
    await this.#ended.catch(() => {});
    this.#qmp?.close();
  }

  /** Ends QEMU, politely first. Safe to call twice and on a dead guest. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#ending === undefined) {
      const patience = Deadline.in(2000);
      // A guest without control connection, or one that is gone by now, is killed below.
      await this.#qmp?.execute('quit', {}, patience).catch(() => {});
      await patience.race(this.#ended, 'QEMU to quit').catch(() => this.#process.kill('SIGKILL'));
      await this.#ended.catch(() => {});
    }
    this.#qmp?.close();
  }
}

/** Everything QEMU is told. A saved state fits a guest whose command line is the same but for the folder and the RAM. */
export function commandLine(folder: Pick<RunFolder, 'file'>, options: GuestOptions): string[] {
  const { machine, accelerator } = options;
  const hangs = hangArguments(hangLimits[accelerator]);
  const append = [
    ...machine.consoleArguments,
    ...(accelerator === 'tcg' ? (machine.whenEmulated ?? []) : []),
    ...KERNEL_ARGUMENTS,
    ...hangs,
    ...options.append,
  ];
  return [
    ...['-name', 'bufrig', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...machineArguments(options),
    ...['-machine', 'memory-backend=ram'],
    '-object',
    `memory-backend-file,id=ram,size=${options.memoryMiB}M,mem-path=${options.ram.file},share=${options.ram.as === 'file' ? 'on' : 'off'}`,
    ...['-chardev', `file,id=console,path=${folder.file('console.log')}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=qmp,path=${folder.file('qmp.sock')},server=on,wait=off`],
    ...['-mon', 'chardev=qmp,mode=control'],
    ...['-netdev', 'user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22'],
    // No boot from the network, hence no need for its ROM file.
    ...['-device', `${machine.networkDevice},netdev=net,romfile=`],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    ...lineArguments(folder, options),
    // Scans a picture out of the guest's memory, see driver/helpers/draw.c. Nobody has to look.
    ...['-device', 'ramfb'],
    // Gives fw_cfg a file that a guest may write, see harness/agent/native/bus_master.c.
    ...(machine.fwCfg === undefined ? [] : ['-device', 'vmcoreinfo']),
    ...['-pidfile', folder.file('qemu.pid')],
    ...(options.ram.as === 'copy' ? ['-incoming', 'defer'] : []),
    ...(options.ram.as === 'copy' && machine.restoresWithoutKernel === true
      ? []
      : whatBoots(options, append)),
  ];
}

function whatBoots({ kernel, initramfs, deviceTree }: GuestOptions, append: readonly string[]): string[] {
  return [
    ...['-kernel', kernel, '-initrd', initramfs, '-append', append.join(' ')],
    ...(deviceTree === undefined ? [] : ['-dtb', deviceTree]),
  ];
}

/**
 * Measured under emulation: a request to the agent takes a tenth less time when the processor that
 * writes to the port does so itself, and interrupts are those of a wire.
 */
const UNDER_EMULATION = ',ioeventfd=off,vectors=0';

function lineArguments(folder: Pick<RunFolder, 'file'>, { lines, accelerator }: GuestOptions): string[] {
  if (lines === 0) return [];
  const how = accelerator === 'tcg' ? UNDER_EMULATION : '';
  const ports = Array.from({ length: lines }, (_, index) => index + 1).flatMap((number) => {
    const socket = `path=${folder.file(lineSocket(number))},server=on,wait=off`;
    return [
      ...['-chardev', `socket,id=line${number},${socket}`],
      ...['-device', `virtserialport,chardev=line${number},nr=${number},name=bufrig.${number}`],
    ];
  });
  // Port 0 is for a console.
  return ['-device', `virtio-serial-pci,max_ports=${lines + 1}${how}`, ...ports];
}

export function machineArguments({ machine, accelerator, cpus, memoryMiB }: MachineOptions): string[] {
  return [
    ...['-machine', machine.board],
    ...['-accel', accelerator, '-cpu', machine.cpu[accelerator]],
    ...['-smp', String(cpus), '-m', `${memoryMiB}M`],
  ];
}
