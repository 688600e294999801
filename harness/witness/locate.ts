// SPDX-License-Identifier: MIT
/**
 * Finds out where mapped buffers lie in physical memory: signs every page, lets every witness look,
 * signs again with another nonce, lets them look again. Only an address that changed with the nonce
 * is the page; an address that did not is a stale copy of it.
 */
import { randomBytes } from 'node:crypto';
import type { Placement, Sighting } from '../judge/observation.ts';
import type { PagesSeen, Witness } from './witness.ts';

/** What locating needs of a mapping. Its content is lost. */
export interface Locatable {
  readonly label: string;
  readonly address: number;
  /** Length in bytes, a multiple of the page size. */
  readonly bytes: number;
  readonly claimed: Placement['claimed'];
  /** Signs every page; page i of the mapping gets the number `first + i`. */
  sign(nonce: bigint, first: number): Promise<void>;
}

/**
 * @returns one placement per mapping, in the same order
 * @throws LabError when a witness cannot look
 */
export async function locate(
  mappings: readonly Locatable[],
  witnesses: readonly Witness[],
  pageBytes: number,
): Promise<Placement[]> {
  const pagesOf = mappings.map((mapping) => mapping.bytes / pageBytes);
  const firstOf = pagesOf.map((_, i) => pagesOf.slice(0, i).reduce((sum, pages) => sum + pages, 0));
  const total = pagesOf.reduce((sum, pages) => sum + pages, 0);

  const round = async (): Promise<PagesSeen[]> => {
    const nonce = randomNonce();
    await Promise.all(mappings.map((mapping, i) => mapping.sign(nonce, firstOf[i] ?? 0)));
    return Promise.all(witnesses.map((witness) => witness.find(nonce, total)));
  };
  const first = await round();
  const second = await round();
  const inBoth = first.map((seen, w) =>
    seen.map((addresses, page) => addresses.filter((address) => second[w]?.[page]?.includes(address))),
  );

  return mappings.map((mapping, i) => {
    const start = firstOf[i] ?? 0;
    const sightings: Sighting[] = witnesses.map((witness, w) => ({
      witness: witness.name,
      pages: (inBoth[w] ?? []).slice(start, start + (pagesOf[i] ?? 0)),
    }));
    return {
      label: mapping.label,
      pageBytes,
      virtualAddress: mapping.address,
      bytes: mapping.bytes,
      claimed: mapping.claimed,
      sightings,
    };
  });
}

function randomNonce(): bigint {
  // The lowest bit is set because a nonce of zero would sign pages with a constant.
  return randomBytes(8).readBigUInt64LE() | 1n;
}
