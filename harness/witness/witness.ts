// SPDX-License-Identifier: MIT
/**
 * A witness finds signed pages in physical memory without having to believe the driver, and without
 * knowing where they are supposed to be.
 */

import type { Walkable } from './page-tables.ts';

/** Where the pages `0 .. count-1` signed with one nonce were seen: `[page] -> physical addresses`. */
export type PagesSeen = number[][];

/** A range of physical addresses, in bytes. */
export interface PhysicalRange {
  physicalAddress: number;
  bytes: number;
}

export interface Witness {
  /** Name in reports, for example `hypervisor`. */
  readonly name: string;
  /**
   * Searches physical memory for pages signed with `nonce`.
   * @param count how many pages were signed
   * @param hints where somebody believes they are. A witness to whom searching is dear may look there
   *   first and leave it at that if it sees every page there with its own eyes; it must not believe.
   * @param within what is seen elsewhere will not be used; a witness may spare itself the search
   * @param mapped the mappings that were signed, in the order of their pages, for who asks the tables
   * @throws LabError when the witness cannot look: that is never "not there"
   */
  find(
    nonce: bigint,
    count: number,
    hints: readonly PhysicalRange[],
    within: readonly PhysicalRange[] | undefined,
    mapped: readonly Walkable[],
  ): Promise<PagesSeen>;
}
