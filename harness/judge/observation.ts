// SPDX-License-Identifier: MIT
/**
 * What a check gathered, as plain data that can be saved as JSON and judged again without a target.
 * Physical and virtual addresses are numbers of bytes: both stay below 2^53 on every supported machine.
 */

/** Where one witness saw the pages of one mapping. */
export interface Sighting {
  /** Name of the witness, for example `hypervisor`. */
  witness: string;
  /**
   * `pages[i]` holds every physical address at which page i was seen under both nonces. A healthy
   * witness gives exactly one; none means the page was not found, several that copies followed it.
   */
  pages: number[][];
}

/** The physical memory that a device can use. */
export interface Reach {
  /** What makes it so, for the reader: `30 address bits`. */
  what: string;
  /** Its first byte. */
  start: number;
  /** The byte behind it. */
  end: number;
}

/** Where a mapped buffer lies in physical memory, according to every witness that spoke. */
export interface Placement {
  /** What the buffer is called in messages, for example `16 MiB buffer 3 (fd-per-buffer)`. */
  label: string;
  pageBytes: number;
  virtualAddress: number;
  /** Length of the mapping in bytes. */
  bytes: number;
  /** What the driver itself says about the buffer, from where the mapping begins, where it says something. */
  claimed: { physicalAddress?: number; bytes?: number };
  sightings: Sighting[];
  /**
   * What the CPU read back through the mapping after every page had been signed: `readback[i]` is the
   * index of the page whose signature page i showed, null when it showed none of ours. It tells a
   * driver that maps one frame twice (a later signature overwrites an earlier one) from a witness that
   * failed to find a page.
   */
  readback?: (number | null)[];
}

/** Bytes of a buffer compared with one expected value, read through a mapping. */
export interface Contents {
  /** What was read, for example `4 MiB fresh buffer`. */
  label: string;
  /** How many bytes ought to have been compared. */
  bytes: number;
  /** How many bytes were compared. */
  compared: number;
  /** The value every byte ought to have, 0 to 255. */
  expected: number;
  /** How many bytes differ. */
  mismatches: number;
  /** The first byte that differs: offset in the buffer in bytes, and its value. */
  first?: { offset: number; value: number };
  /** Bytes in one page, to say on which page the first difference lies. */
  pageBytes: number;
}

/** How the CPU sees a buffer through several mappings. */
export interface MemoryTypes {
  label: string;
  /** The types that suit the buffer's cache mode; absent where nobody says what it is. */
  accepted?: readonly string[];
  mappings: readonly {
    what: string;
    bytes: number;
    /** In the words of harness/witness/page-tables.ts. */
    runs: readonly { physicalAddress: number; bytes: number; memoryType: string }[];
  }[];
}

/** Memory that was handed over between the CPU and a device, as the kernel's DMA API was asked to. */
export interface HandOver {
  /** As the kernel names it. */
  device: string;
  to: 'cpu' | 'device';
  /** Which way data may have gone since, or will go. */
  direction: 'both' | 'to-device' | 'from-device';
  /** As the device sees them. */
  ranges: readonly { address: number; bytes: number }[];
}

/** What one call had to hand over, and what it had handed over. */
export interface HandingOver {
  call: string;
  /** Bytes of the buffer, and where the device sees it, if that is known. */
  buffer: { address?: number; bytes: number };
  wanted: Pick<HandOver, 'to' | 'direction'> & {
    /** How often: once for each device that has the buffer. */
    devices: number;
    /** First byte in the buffer, and how many. */
    offset: number;
    bytes: number;
  };
  seen: readonly HandOver[];
}

/** Which page of a buffer each page of a mapping shows, told by signatures written beforehand. */
export interface PageOrder {
  label: string;
  /** Index in the buffer of the page that page i of the mapping ought to show. */
  expected: number[];
  /** Index of the page it does show; null when it carries no signature of ours. */
  seen: (number | null)[];
}

/** What a screen shows, compared with the picture that was drawn into its frame buffer. */
export interface Scanout {
  label: string;
  pageBytes: number;
  /** Sizes in pixels. */
  drawn: { width: number; height: number };
  seen: { width: number; height: number };
  /** How many pixels were compared: none when the sizes differ. */
  compared: number;
  /** How many pixels differ, and in how many rows. */
  wrong: number;
  wrongRows: number;
  /** The first pixel that differs; colours as 0xRRGGBB. */
  first?: { x: number; y: number; drawn: number; seen: number };
  /** The colour of all that is seen, where there is but one. */
  blank?: number;
  /** How many bytes behind its place most of what is seen was drawn, and how much of the picture that is, 0 to 1. */
  displacement?: { bytes: number; share: number };
  /**
   * Of a wrong picture, what each page of the frame buffer shows, as runs: page `first + i` shows what
   * was drawn into page `shows + i`, or, with null, something else.
   */
  pages: { first: number; count: number; shows: number | null }[];
}

/** How one system call, or one access, ended. */
export type Outcome =
  /** It succeeded and returned this. */
  | { kind: 'success'; value: number }
  /** It failed with this errno, by name, for example `EINVAL`. */
  | { kind: 'error'; errno: string }
  /** The process was sent this signal, by name, for example `SIGBUS`. */
  | { kind: 'signal'; signal: string };

/** A call whose way of ending is the claim. */
export interface Call {
  /** The call as a person would write it, for example `mmap(NULL, 8192, …, fd, 0x3000)`. */
  call: string;
  /** Missing when the target never answered. */
  outcome?: Outcome;
}

/** A call out of many that are judged together, with every way in which it may end. */
export interface Expectation extends Call {
  /** `success`, errno names, or signal names. */
  accepted: readonly string[];
}

/** Something counted again and again while the same thing is done over and over. */
export interface Course {
  /** What was counted, for example `free memory`. */
  label: string;
  /** What the numbers are: `bytes`, `descriptors`. */
  unit: string;
  /** How often the thing had been done, and what was counted then; in order. */
  samples: { rounds: number; value: number }[];
}

/** A call with a range in a buffer, as decimal numbers of any size. */
export interface RangeAttempt extends Call {
  bufferBytes: number;
  offset: string;
  /** Missing when the call is about one byte. */
  length?: string;
}

/** Things counted before and after something that has to leave no trace. */
export interface Balance {
  what: string;
  before: Record<string, number>;
  after: Record<string, number>;
}

/** A structure before and after a successful ioctl, field by field as hexadecimal digits. */
export interface Answer {
  call: string;
  /** What results were filled with before, as digits of one byte. */
  filler: string;
  fields: Record<string, { role: 'out' | 'in-out' | 'in' | 'reserved'; before: string; after: string }>;
}

/** Texts that a user without rights could read, and what they must not tell. */
export interface Disclosure {
  /** Physical addresses of buffers. */
  addresses: number[];
  pageBytes: number;
  texts: { source: string; text: string }[];
}

/** What lies directly behind the last byte of a mapping. */
export type Beyond =
  /** Reading there raised this signal. */
  | { kind: 'signal'; signal: string }
  /** Another mapping starts there; its line of /proc/self/maps, or its name. */
  | { kind: 'other-mapping'; mapping: string }
  /** It belongs to this mapping and could be read. */
  | { kind: 'same-mapping' };

/** How far a mapping of `requestedBytes` really reaches in the address space. */
export interface Extent {
  label: string;
  pageBytes: number;
  /** The length given to mmap, in bytes. */
  requestedBytes: number;
  /** What mmap returned. */
  virtualAddress: number;
  /** The mapping's line of /proc/self/maps; missing when none covers `virtualAddress`. */
  vma?: { start: number; end: number };
  /** Whether the bytes from `requestedBytes` to the end of its page could be read. */
  tailReadable?: boolean;
  beyond?: Beyond;
}

/** One thing that is wrong. */
export interface Finding {
  /** Stable name of the rule that was broken, for example `contiguous`. */
  rule: string;
  /** `driver`: the driver broke it. `lab`: the evidence is missing or contradicts itself. */
  blame: 'driver' | 'lab';
  /** What was expected and what was seen, for a person. */
  message: string;
}
