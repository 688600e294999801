// SPDX-License-Identifier: MIT
/** The driver as the rest of the system sees it: its node, its files in sysfs, its bindings, its limits. */

import type { Agent } from '../agent/client.ts';
import type { Reach } from '../judge/observation.ts';
import type { CacheMode, StrategyName } from './profile.ts';

/** What a device reaches over its bus, on which it may lie elsewhere than at the CPU's addresses. */
export interface BusReach extends Reach {
  /** The bus's address of the first byte. */
  onBus: number;
}

export interface SystemView {
  /** The most that the device node's mode may allow, for example `0o660`. */
  nodeMode: number;
  /** Folders with everything the driver shows of itself outside of its node. */
  shown: readonly string[];
  /** Files with the number of objects that are alive, by what they count. */
  alive: Readonly<Record<string, string>>;
  /** Files that everybody may read, with how many buffers were made and refused since the device was bound. */
  counted?: { made: string; refused: string };
  /** The list of buffers that it keeps for root. */
  listing?: Listing;
  /** What the driver says of a file of its node that is open, in `/proc/PID/fdinfo` (Documentation/filesystems/proc.rst). */
  openFile?: (fdinfo: string) => OpenFile;
  /**
   * Whether the device sees what the CPU has in its caches, so that nothing need be handed over: found out from the machine
   * and without asking the driver. No device does unless given.
   */
  snoops?: (agent: Agent) => Promise<boolean>;
  /**
   * What of the machine's memory the device's bus reaches, found out from the machine and without asking the driver;
   * undefined where it reaches all. Every device's does unless given.
   */
  busReach?: (agent: Agent) => Promise<BusReach | undefined>;
  /** How a device is taken from the driver and given back, where that can be done. */
  binding?: Binding;
  /** How several devices are had at once. */
  instances?: Instances;
  /** Limits on what can be allocated. */
  quota?: Quota;
  /** insmod's argument for a device that drives so many address bits, and the numbers it takes. */
  addressBits?: { parameter: (bits: number) => string; least: number; most: number };
  /** Files with insmod's arguments that must be refused, each alone. */
  badParameters?: readonly string[];
}

export interface Listing {
  file: string;
  /** What the text says of each buffer. */
  read: (text: string) => Listed[];
}

export interface Listed {
  /** Undefined for one that was freed and is still in use. */
  name: number | undefined;
  requestedBytes: number;
  allocatedBytes: number;
  memory: string;
  cache: CacheMode;
  physicalAddress: number;
  /** That have it, under its name or without. */
  openFiles: number;
  mappings: number;
}

export interface OpenFile {
  /** What counts against its limit, bytes. */
  chargedBytes: number;
  /** How it names buffers; undefined while it has none. */
  strategy: StrategyName | undefined;
  /** Those it has. */
  buffers: readonly Pick<Listed, 'name' | 'allocatedBytes'>[];
}

export interface Binding {
  /** Folder of the driver in sysfs, with `bind` and `unbind`. */
  driver: string;
  /** Link in sysfs from the device's class to the device itself, whose name is what is written there. */
  device: string;
  /** What mappings show after unbinding: what they held, a SIGBUS, or zeroes. */
  mappings: 'keep' | 'SIGBUS' | 'zero';
  /** How calls on files opened before, and open() itself, fail afterwards. */
  gone: readonly string[];
}

export interface Instances {
  /** Arguments of insmod for two devices. */
  parameters: readonly string[];
  nodes: readonly [string, string];
  /** Where each one's binding is. */
  bindings: readonly [Binding, Binding];
  /** How many there are numbers for, and how one more is refused. */
  most?: { devices: number; exceeded: readonly string[] };
}

export interface Quota {
  /** Writable files with a number of bytes, 0 for no limit. */
  perOpenFile?: string;
  total?: string;
  /** How a request beyond is refused. */
  exceeded: readonly string[];
}
