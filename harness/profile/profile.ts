// SPDX-License-Identifier: MIT
/**
 * What the rig has to know of a driver under test: how it is loaded, how its buffers are named, and
 * what it promises. A driver is one file that fills this in, and one line in profiles.ts.
 */
import type { Agent } from '../agent/client.ts';
import type { IoctlAbi } from './ioctls.ts';
import type { SystemView } from './system.ts';

/** The ways to get at a buffer, as DESIGN names them. */
export const strategyNames = [
  'offset-cookie',
  'offset-aperture',
  'offset-physical',
  'fd-per-buffer',
  'dma-buf',
] as const;
export type StrategyName = (typeof strategyNames)[number];

export interface DriverProfile {
  name: string;
  module: DriverModule;
  /** Path of the device node that appears when the module is loaded. */
  device: string;
  strategies: Partial<Record<StrategyName, Strategy>>;
  properties: Properties;
  /** The driver's ioctls; without them the checks of an ABI do not apply. */
  ioctls?: IoctlAbi;
  /** What the system shows of the driver and lets an administrator do with it. */
  system: SystemView;
  /** The version the loaded driver reports, for the report. */
  version(agent: Agent): Promise<string>;
  /** Standalone programs that show how an application uses the driver; the suite runs them. */
  helpers: HelperProgram[];
}

export interface DriverModule {
  /** Name as in /sys/module and for rmmod. */
  name: string;
  /** Folder with the module's Kbuild file. */
  source: string;
  /** Folders with headers that the module includes from outside its own folder. */
  headers: string[];
  /** Arguments of insmod. */
  parameters: string[];
}

export interface HelperProgram {
  strategy: StrategyName;
  /** Path of its one C file. */
  source: string;
}

/** What a driver promises beyond what mm itself decides. */
export interface Properties {
  /** Buffers are physically contiguous. */
  contiguous: boolean;
  /** Fresh buffers read as zero. */
  zeroed: boolean;
  /** The errors with which mmap refuses a range that is not wholly inside a buffer. */
  outOfBounds: string[];
  /** Memory that the page allocator serves, and that therefore ends at its largest order. */
  pageAllocatorMemory?: string;
  /** The cache modes that can be asked for. */
  cacheModes: CacheMode[];
}

export interface AllocationRequest {
  bytes: number | bigint;
  /** Alignment of the physical start in bytes; the driver's default unless given. */
  alignBytes?: number;
  /** Where the memory comes from, in the profile's own words; the driver chooses unless given. */
  memory?: string;
  /** How the CPU sees the memory; the driver chooses unless given. */
  cache?: CacheMode;
}

export type CacheMode = 'coherent' | 'cached' | 'write-combined';

/** One way to get at buffers of this driver. */
export interface Strategy {
  /** Opens what an application that names its buffers this way keeps open throughout. */
  open(agent: Agent): Promise<Allocator>;
}

export interface Allocator {
  /** @throws SyscallError as the driver answered */
  allocate(request: AllocationRequest): Promise<AllocatedBuffer>;
}

/** A buffer as the driver named it. */
export interface AllocatedBuffer {
  /** The descriptor to mmap, in the agent's numbering. */
  fd: number;
  /** Byte offset to give to mmap for the buffer's first byte. */
  mmapOffset: bigint;
  requestedBytes: number;
  /** What the driver says it allocated: the requested size rounded up to whole pages. */
  allocatedBytes: number;
  /** What the driver says about the buffer's place, if it says anything. */
  physicalAddress?: number;
  /** Closes every descriptor through which the buffer is held, be it shared with others or not; mappings stay. */
  close(): Promise<void>;
  /** Gives the buffer back to the driver. */
  free(): Promise<void>;
}
