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

/** Where a mapped buffer lies in physical memory, according to every witness that spoke. */
export interface Placement {
  /** What the buffer is called in messages, for example `16 MiB buffer 3 (fd-per-buffer)`. */
  label: string;
  pageBytes: number;
  virtualAddress: number;
  /** Length of the mapping in bytes. */
  bytes: number;
  /** What the driver itself says about the buffer, where it says something. */
  claimed: { physicalAddress?: number; bytes?: number };
  sightings: Sighting[];
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
