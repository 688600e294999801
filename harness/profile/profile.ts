// SPDX-License-Identifier: MIT
/**
 * What the rig has to know of a driver under test: how it is loaded, how its buffers are named, and
 * what it promises. A driver is one file that fills this in, and one line in profiles.ts.
 */
import type { Agent } from '../agent/client.ts';
import type { Deviation } from './deviations.ts';
import type { Step } from '../agent/repeat.ts';
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
  /** Absent when the driver is built into the kernel. */
  module?: DriverModule;
  /** Folders with the headers of its ABI; its module may include them, and its helpers do. */
  headers?: readonly string[];
  /** Path of the device node that appears when the module is loaded. */
  device: string;
  strategies: Partial<Record<StrategyName, Strategy>>;
  properties: Properties;
  /** What its dma-bufs call their exporter, by which one tells who holds some; the profile's name unless given. */
  exporterName?: string;
  /** The driver's ioctls; without them the checks of an ABI do not apply. */
  ioctls?: IoctlAbi;
  /** What the system shows of the driver and lets an administrator do with it. */
  system: SystemView;
  /** Names of the memory that the loaded driver says its device has. */
  offeredMemories(agent: Agent): Promise<string[]>;
  /** The version the loaded driver reports, for the report. */
  version(agent: Agent): Promise<string>;
  /** Standalone programs that show how an application uses the driver; the suite runs them. */
  helpers: HelperProgram[];
  /** What is known to be wrong with it; see {@link Deviation}. */
  deviations?: readonly Deviation[];
  /**
   * Path of a program's one C file that draws the test chart of fixtures/test-chart.ts into a buffer and
   * has QEMU's ramfb show it; arguments and output like driver/helpers/draw.c.
   */
  drawing?: string;
}

export interface DriverModule {
  /** Name as in /sys/module and for rmmod. */
  name: string;
  /**
   * A folder with its Kbuild file, from which it is built, and whether that may give warnings; `kernel`: it
   * came with the target's kernel; `file`: built already, for exactly the target's kernel, and named by
   * BUFRIG_MODULE.
   */
  source: { folder: string; allowWarnings?: true } | 'kernel' | 'file';
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
  /** Whoever has the right is told where a buffer lies. */
  tellsAddresses: boolean;
  /** Fresh buffers read as zero. */
  zeroed: boolean;
  /** The errors with which mmap refuses a range that is not wholly inside a buffer. */
  outOfBounds: string[];
  /** The errors with which a size is refused that is not to be had. */
  tooLarge: string[];
  /** The largest size in bytes that its calls can say; 2^64 - 1 unless given. */
  sizeMost?: bigint;
  /** The errors with which a size is refused that is beyond a limit of the driver's own. */
  ownLimit?: string[];
  /** Buffers are made of memory that the caller has already. */
  callersMemory?: true;
  /**
   * No size is too large at once: pages are taken one by one, and processes killed to get more. Only RES-01
   * and RES-02 try that, in processes that are there to be killed.
   */
  overcommits?: true;
  /** All memory is there from loading to unloading, and a buffer is a part of it: making one takes none. */
  madeAtLoad?: true;
  /** A buffer's memory is charged to the control group of who makes it, or touches it first. */
  charged?: true;
  /** A page takes memory when it is touched first, and not when the buffer is made. */
  filledOnTouch?: true;
  /** Where memory can come from, by the names that {@link AllocationRequest} takes. */
  memories: Record<string, MemoryKind>;
  /** The errors with which memory is refused that the device does not have. */
  absentMemory: string[];
  /** Memory that the page allocator serves, and that therefore ends at its largest order. */
  pageAllocatorMemory?: string;
  /** The cache modes that can be asked for. */
  cacheModes: CacheMode[];
  /** How pages get into mappings; mm decides by it what can be done to them. */
  mappingClass: MappingClass;
  /** A mapping is complete when mmap() returns: touching it takes no page fault. */
  prefaulted: boolean;
  /** Mappings have pages of the second level's size where the kernel and the addresses allow it. */
  largePages?: boolean;
  /** Where the kernel chooses an address for a mapping, it suits large pages, unless this is false. */
  choosesAddresses?: boolean;
  /** A mapping may begin at any page of a buffer. */
  subOffset: boolean;
  /** Private mappings that may be written to: refused with one of these errors, or copied on write. */
  privateMaps: Verdict;
  /** How the descriptors that are mapped can be opened; in every way unless given. */
  accesses?: readonly Access[];
  /** The errors with which a mapping is refused that cannot be read; allowed unless given. */
  unreadableMaps?: string[];
  /** Read-only shared mappings through a file that was opened read-only. */
  readOnlyFiles: Verdict;
  /** Mappings with PROT_EXEC. */
  executableMaps: Verdict;
  /** Debuggers reach the memory through ptrace and /proc/PID/mem (vm_operations_struct.access). */
  debuggable: boolean;
  /** What becomes of a buffer that is freed while it is mapped: its memory stays, or it is not freed (EBUSY). */
  freeWhileMapped: 'orphan' | 'busy';
  /** Alignments of the physical start can be asked for, up to this many bytes; absent when none can. */
  alignmentMost?: number;
  /** Share of the machine's memory that buffers leave to everybody else; nothing is documented unless given. */
  leavesToOthers?: number;
  /** Allocations that must pass before the name of a freed buffer is given to another one. */
  namesUnusedFor?: number;
  /** What the file says to calls that have nothing to do with buffers. */
  file: { read: string[]; write: string[]; seek: string[] };
}

/** What a driver says to a kind of call: yes, or one of these errors. */
export type Verdict = 'allowed' | string[];

/**
 * Told by VmFlags in /proc/PID/smaps. `pfn-io`: VM_PFNMAP and VM_IO, as remap_pfn_range() makes them;
 * `pfn`: VM_PFNMAP alone; `mixed`: VM_MIXEDMAP, as vm_insert_page() makes them; `file`: none of these.
 */
export type MappingClass = 'pfn-io' | 'pfn' | 'mixed' | 'file';
export interface MemoryKind {
  /**
   * Why there is none of it on a target, or undefined where there must be. Found out from the machine
   * and without asking the driver, so that no driver can excuse itself.
   */
  absence?(agent: Agent): Promise<string | undefined>;
  /** Every alignment can be had of it, as long as there is twice as much in one piece. */
  anyAlignment?: true;
  /** The cache modes that it is documented to have there, found out likewise; nothing is said of others unless given. */
  cacheModes?(agent: Agent): Promise<readonly CacheMode[]>;
}

export interface AllocationRequest {
  bytes: number | bigint;
  /** Alignment of the physical start in bytes; the driver's default unless given. */
  alignBytes?: number | bigint;
  /** Where the memory comes from, in the profile's own words; the driver chooses unless given. */
  memory?: string;
  /** How the CPU sees the memory; the driver chooses unless given. */
  cache?: CacheMode;
}

export type CacheMode = 'coherent' | 'cached' | 'write-combined';

/** One way to get at buffers of this driver. */
export interface Strategy {
  /**
   * `reachable`: offsets behind a buffer's end may lead to another buffer of the same allocator, rightly,
   * because offsets are addresses. Unless given they never do.
   */
  neighbours?: 'reachable';
  /** The descriptor that is mapped holds its buffer: it maps it also when its name was freed by somebody else. */
  holdsBuffers?: true;
  /** What this way of naming promises otherwise than the profile says for all. */
  properties?: Partial<Properties>;
  /**
   * Opens what an application that names its buffers this way keeps open throughout.
   * @param access of the descriptors that are mapped; both unless given
   */
  open(agent: Agent, access?: Access): Promise<Allocator>;
  /**
   * Ability: a buffer's whole life for the agent to repeat by itself: open, allocate, map, write to
   * every page, unmap, free, close. Every round ends as it began.
   */
  lifetime?(plan: LifetimePlan): Step[];
  /**
   * Offsets are places in one range, taken from its beginning to its end and then anew: how many buffers of a page have
   * one before that, and how a file takes one more that stays with it.
   */
  places?: { count: number; take(fd: number, pageBytes: number): Step };
}

/** What a repeated life of a buffer may count on. */
export interface LifetimePlan {
  /** The lowest free descriptor, which opening gives. */
  fd: number;
  /** Of the buffer: whole pages. */
  bytes: number;
  pages: number;
  /** Where that many bytes of address space are free. */
  address: number;
}

/** As in open(2). */
export type Access = 'rdonly' | 'wronly' | 'rdwr';

export interface Allocator {
  /** @throws SyscallError as the driver answered */
  allocate(request: AllocationRequest): Promise<AllocatedBuffer>;
  /**
   * Ability: to get at a buffer that exists already, by its name.
   * @param readOnly no mapping made through it can be written to
   * @throws SyscallError as the driver answered
   */
  attach?(name: number, readOnly?: boolean): Promise<AllocatedBuffer>;
  /** Ability: to free a buffer by its name, which need not be one of this allocator's. */
  freeNamed?(name: number): Promise<void>;
}

/** A buffer as the driver named it. */
export interface AllocatedBuffer {
  /** What others can attach it by, where the driver has names. */
  name?: number;
  /** The descriptor to mmap, in the agent's numbering. */
  fd: number;
  /** Byte offset to give to mmap for the buffer's first byte. */
  mmapOffset: bigint;
  requestedBytes: number;
  /** What the driver says it allocated: the requested size rounded up to whole pages. */
  allocatedBytes: number;
  /** The driver says nothing about the size: it is taken to be the requested one, in whole pages. */
  sizeUntold?: true;
  /** Where the memory came from, if the driver says it; a name as in the request. */
  memory?: string;
  /** What the driver says about the buffer's place, if it says anything. */
  physicalAddress?: number;
  /** The address that the driver says its device has to use for the first byte (dma_addr_t). */
  deviceAddress?: number;
  /** How the driver says that the CPU sees the memory, if it says. */
  cache?: CacheMode;
  /** Closes every descriptor through which the buffer is held, be it shared with others or not; mappings stay. */
  close(): Promise<void>;
  /** Gives the buffer back to the driver. Descriptors through which it is held stay open. */
  free(): Promise<void>;
  /** Lets go of the buffer altogether, and of nothing else: after that only mappings hold its memory. */
  release(): Promise<void>;
  /** Ability: takes the buffer off the open file that has it. Others that have it keep it, and its name with it. */
  detach?(): Promise<void>;
}
