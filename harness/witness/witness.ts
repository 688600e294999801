// SPDX-License-Identifier: MIT
/**
 * A witness finds signed pages in physical memory without having to believe the driver, and without
 * knowing where they are supposed to be.
 */

/** Where the pages `0 .. count-1` signed with one nonce were seen: `[page] -> physical addresses`. */
export type PagesSeen = number[][];

export interface Witness {
  /** Name in reports, for example `hypervisor`. */
  readonly name: string;
  /**
   * Searches all of physical memory for pages signed with `nonce`.
   * @param count how many pages were signed
   * @throws LabError when the witness cannot look: that is never "not there"
   */
  find(nonce: bigint, count: number): Promise<PagesSeen>;
}
