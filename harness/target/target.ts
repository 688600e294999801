// SPDX-License-Identifier: MIT
/**
 * What a machine under test is to the rest of the rig: commands, a byte stream to a long-lived
 * process, a way to put a file there, and a set of abilities that not every machine has. Code
 * outside harness/target asks about an ability and never about a kind of target.
 */
import type { Deadline } from '../deadline.ts';
import type { Architecture } from '../build/architectures.ts';
import type { Ending, Result } from '../process.ts';
import type { RestingProcessors } from './resting-processors.ts';

/** Facts about an opened target; they go into the report as they are. */
export interface TargetFacts {
  /** Name of the target as configured, for example `qemu-arm64`. */
  name: string;
  /** `uname -r` on the target. */
  kernelRelease: string;
  /** `uname -m` on the target. */
  machine: string;
  /** What programs are built for, where it is not what the kernel is. */
  programs?: Architecture;
  /** Bytes in one page of the target's kernel. */
  pageBytes: number;
  /** Random id of this boot (/proc/sys/kernel/random/boot_id); changes when the machine rebooted. */
  bootId: string;
  /** How the machine is emulated, `none` when it is not; figures of different ones are never compared. */
  accelerator: 'none' | 'kvm' | 'tcg';
  /** Anything else worth a line in the report: emulator version, model, address. */
  details: Record<string, string>;
}

/** A long-lived process on the target, spoken to over one channel. */
export interface RemoteProcess {
  /** Sends bytes to its standard input. @throws LabError when the link is gone */
  write(data: string | Buffer): void;
  /** Closes its standard input; our processes end on that. */
  end(): void;
  onStdout(listener: (chunk: Buffer) => void): void;
  onStderr(listener: (chunk: Buffer) => void): void;
  /** Resolves when it ended; rejects with a LabError `LINK_LOST` when the link broke before that. */
  readonly ended: Promise<Ending>;
}

/** Where the headers are that a module for this target is built against. */
export type KernelTree =
  | {
      where: 'host';
      /** Path of a prepared kernel build tree on the machine the rig runs on. */
      directory: string;
    }
  | {
      where: 'target';
      /** Path on the target; the target has make and a compiler and builds natively. */
      directory: string;
    };

/** The target's serial console, from its first byte on. */
export interface Console {
  /** Path on the host of the file that collects it. */
  readonly file: string;
  /** Everything so far. */
  text(): Promise<string>;
}

/** A piece of the target's RAM as it lies in a file on the host. */
export interface RamRegion {
  fileOffset: number;
  /** Physical address on the target of the first byte. */
  physicalAddress: number;
  bytes: number;
}

/** The target's RAM, read from outside without its kernel's help. */
export interface ExternalMemory {
  readonly file: string;
  readonly regions: readonly RamRegion[];
}

/** A device that reads physical memory on command, spoken to from the target itself. */
export interface BusMaster {
  /** Physical address of QEMU's fw_cfg registers; /dev/mem must give them out. */
  readonly registers: number;
  /** The physical memory there is for it to read. */
  readonly reaches: readonly { physicalAddress: number; bytes: number }[];
}

/** What a screen shows. */
export interface Picture {
  /** In pixels. */
  width: number;
  height: number;
  /** Red, green and blue of each pixel, a byte each; row by row from the top, without gaps. */
  rgb: Buffer;
}

/** A screen whose controller reads a picture out of memory, looked at from outside. */
export interface Screen {
  /** What it shows now, read out of memory for this. @throws LabError when no picture can be had */
  photograph(deadline: Deadline): Promise<Picture>;
}

/** What a kernel says when something is wrong with it: the announcing line, and all of it. */
export interface Complaint {
  title: string;
  lines: readonly string[];
}

export interface ExecOptions {
  deadline?: Deadline;
  input?: string | Buffer;
}

export interface Target {
  readonly facts: TargetFacts;
  /** The deadline factor for this target: 1 on real hardware or KVM, more under emulation. */
  readonly patience: number;

  /**
   * Runs a command with the rights of root to its end. `argv` reaches it unchanged.
   * @throws LabError `LINK_LOST`, `DEADLINE`. A missing exit status is never a 0.
   */
  exec(argv: readonly string[], options?: ExecOptions): Promise<Result>;
  /** Like exec, but insists on exit code 0. @throws CommandFailed */
  execOk(argv: readonly string[], options?: ExecOptions): Promise<Result>;
  /** Starts a process with the rights of root and leaves its streams open. */
  start(argv: readonly string[]): Promise<RemoteProcess>;
  /**
   * Puts a file into the target's working directory, named after its content's hash, once: when it
   * is already there nothing is sent. Executable by its owner.
   * @returns its absolute path on the target
   * @throws LabError `TARGET_DISK` when it does not fit or cannot be executed there
   */
  put(content: Buffer, name: string): Promise<string>;
  /** Directory on the target that is the rig's own; removed by close(). */
  readonly directory: string;

  readonly kernelTree: KernelTree;
  /** How it came to be here; unless given it was up already. */
  readonly origin?: 'restored' | 'booted';

  /** Ability: the modules that came with its kernel lie on this machine, in this lib/modules/RELEASE. */
  readonly kernelModules?: string;
  /** Ability: the console is recorded. */
  readonly console?: Console;
  /** Ability: physical memory can be read from outside. */
  readonly externalMemory?: ExternalMemory;
  /** Ability: a device bears witness in place of the kernel, which has no /proc/kcore. */
  readonly busMaster?: BusMaster;
  /** Ability: a device reads and writes physical memory on command, whether or not it bears witness. */
  readonly copyingDevice?: BusMaster;
  /** Ability: pictures can be taken of its screen, which a program on the target can set up (QEMU's ramfb). */
  readonly screen?: Screen;
  /** Ability: the machine's own account of how it died, or undefined while it is alive. */
  whyDead?(): string | undefined;
  /** Ability: why a complaint of the kernel is the machine's own doing; undefined when it is not known to be. */
  ownFault?(complaint: Complaint): string | undefined;
  /**
   * Ability: resolves when the rig has done what it does to the machine by itself a while after it was
   * taken, such as a login. For what must not meet that. @throws LabError `LINK_LOST`
   */
  settled?(): Promise<void>;

  /** Ability: all processors but the first rest, until something is to run beside something else. */
  readonly restingProcessors?: RestingProcessors;

  /** Leaves nothing behind: processes, files, ports. Safe to call twice. */
  close(): Promise<void>;
}
