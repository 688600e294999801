// SPDX-License-Identifier: MIT
/** Targets as plain data: what playwright.config.ts declares and the kinds of target open. */
import type { Architecture } from '../build/architectures.ts';
import type { StrategyName } from '../profile/profile.ts';
import type { Isolation } from '../supply/isolation.ts';
import type { MachineName } from './qemu/machines.ts';

/** How a machine is to be used. */
interface Use {
  /** How many times as long everything takes as on one with a usual kernel; 1 unless given. */
  slowness?: number;
  /** What tests share unless somebody says otherwise. */
  isolation?: Isolation;
  /** Strategies that cannot be had there. */
  without?: readonly StrategyName[];
}

/** A guest that the rig boots. */
export interface QemuSpec extends Use {
  kind: 'qemu';
  /** Name in reports, for example `qemu-arm64`. */
  name: string;
  machine: MachineName;
  /**
   * Debian's kernel: flavour as in `linux-image-FLAVOUR`, and the suite it is taken from. Or one of
   * the rig's own, harness/build/kernels/FLAVOUR.config, and the suite of its source.
   */
  kernel: { flavour: string; suite?: string };
  /** What the agent and the driver's programs are built for; what the kernel is, unless given. */
  programs?: Architecture;
  cpus: number;
  memoryMiB: number;
  /** Further kernel arguments, for example `['cma=128M']`. */
  append: string[];
  /** Path of a device tree overlay's source that is laid on what the machine tells of itself. */
  deviceTree?: string;
  /** Not even where its kernel knows virtio ports are there lines into it: SSH is the only way. */
  lines?: false;
}

/** A machine that is up and reached by SSH, known by address and host key. */
export interface SshSpec extends Use {
  kind: 'ssh';
  name: string;
  /** `ssh://user@host:port`; the user is root and the port 22 unless given. */
  address: string;
  /** Private key files to try, beside the SSH agent and the user's default keys. */
  identities?: string[];
  /** The host key's fingerprint, `SHA256:...`; otherwise the known_hosts files decide. */
  hostKey?: string | undefined;
  /** Directory on the host with the kernel's build tree; otherwise the target's own is used. */
  kernelTree?: string | undefined;
  /** What the agent and the driver's programs are built for; what the kernel is, unless given. */
  programs?: Architecture;
  /** Where on the target the rig makes its own directory; `/tmp` unless given. */
  directory?: string | undefined;
}

export type TargetSpec = QemuSpec | SshSpec;
