// SPDX-License-Identifier: MIT
/**
 * Finds out where mapped buffers lie in physical memory: signs every page, lets every witness look,
 * signs again with another nonce, lets them look again. Only an address that changed with the nonce
 * is the page; an address that did not is a stale copy of it.
 */
import { randomBytes } from 'node:crypto';
import type { Placement, Sighting } from '../judge/observation.ts';
import type { Walkable } from './page-tables.ts';
import type { PagesSeen, PhysicalRange, Witness } from './witness.ts';

/** What locating needs of a mapping. Its content is lost. */
export interface Locatable extends Walkable {
  readonly label: string;
  readonly claimed: Placement['claimed'];
  /** Signs every page; page i of the mapping gets the number `first + i`. */
  sign(nonce: bigint, first: number): Promise<void>;
  /**
   * What each page shows when it is read through the mapping: the index in this mapping of the page
   * whose signature it carries, null when it carries none of them.
   */
  readback(nonce: bigint, first: number): Promise<(number | null)[]>;
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
  const pagesOf = mappings.map((mapping) => Math.ceil(mapping.bytes / pageBytes));
  const firstOf = pagesOf.map((_, i) => pagesOf.slice(0, i).reduce((sum, pages) => sum + pages, 0));
  const total = pagesOf.reduce((sum, pages) => sum + pages, 0);

  const claims = mappings.flatMap(({ claimed, bytes }) =>
    claimed.physicalAddress === undefined ? [] : [{ physicalAddress: claimed.physicalAddress, bytes }],
  );
  const signAll = (nonce: bigint) =>
    Promise.all(mappings.map((mapping, i) => mapping.sign(nonce, firstOf[i] ?? 0)));

  let nonce = randomNonce();
  await signAll(nonce);
  const first: PagesSeen[] = [];
  for (const witness of witnesses) {
    const [earlier] = first;
    const hints = earlier === undefined ? claims : rangesOf(earlier, pageBytes);
    first.push(await witness.find(nonce, total, hints, undefined, mappings));
  }
  nonce = randomNonce();
  await signAll(nonce);
  const second: PagesSeen[] = [];
  for (const [w, witness] of witnesses.entries()) {
    // Only what was seen the first time can be seen both times.
    const within = rangesOf(first[w] ?? [], pageBytes);
    second.push(await witness.find(nonce, total, within, within, mappings));
  }
  const readback = await Promise.all(mappings.map((mapping, i) => mapping.readback(nonce, firstOf[i] ?? 0)));
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
      readback: readback[i] ?? [],
    };
  });
}

/** The pages' addresses as ranges, as few as possible. */
function rangesOf(seen: PagesSeen, pageBytes: number): PhysicalRange[] {
  const ranges: PhysicalRange[] = [];
  for (const physicalAddress of seen.flat().toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && physicalAddress <= last.physicalAddress + last.bytes) {
      last.bytes = physicalAddress + pageBytes - last.physicalAddress;
    } else {
      ranges.push({ physicalAddress, bytes: pageBytes });
    }
  }
  return ranges;
}

function randomNonce(): bigint {
  // The lowest bit is set because a nonce of zero would sign pages with a constant.
  return randomBytes(8).readBigUInt64LE() | 1n;
}
